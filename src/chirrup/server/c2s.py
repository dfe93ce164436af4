"""A client's connection: negotiation by `core.stream`, then stanzas straight from the parser to the session."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StreamError
from chirrup.core.framing import farewell
from chirrup.core.parser import StreamParser
from chirrup.core.parser_pool import Shelf
from chirrup.net.clock import Timer
from chirrup.net.connection import Connection
from chirrup.server.limits import Allowance
from chirrup.server.logs import stream_log
from chirrup.server.negotiation import Negotiation
from chirrup.server.session import Session
from chirrup.server.wire_log import wire_log

if TYPE_CHECKING:
    from chirrup.server.app import Server
    from chirrup.server.listen import Listeners
    from chirrup.server.logs import Logger

_READ_COST: Final = 64
"""Octets that a read counts for besides what it brought: who sends single octets makes the most work of each."""
_SELDOM: Final = 4
"""Pieces of stanzas in ten seconds up to which a client is quiet enough not to have a parser of its own."""
_FAREWELL: Final = 5.0
"""Seconds that a client has to close its half of the stream after ours (RFC 6120 §4.4)."""


class ClientConnection(Connection):
    """One connection from a client, from accept to close."""

    __slots__ = (
        "_admitted", "_allowance", "_deadline", "_ending", "_heard", "_listeners", "_negotiation", "_receive", "_shelf",
        "gone", "log", "parser", "server", "session", "stream_id",
    )  # fmt: skip

    log: Logger
    parser: StreamParser
    _shelf: Shelf

    def __init__(self, server: Server, listeners: Listeners, *, direct_tls: bool, plaintext: bool) -> None:
        limits = server.config.limits
        loop = asyncio.get_running_loop()
        super().__init__(loop, send_buffer_bytes=limits.send_buffer_bytes)
        self.server = server
        self.stream_id = secrets.token_hex(8)
        self.session: Session | None = None
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the connection is closed."""
        self._listeners = listeners
        self._admitted = False
        self._ending = False
        self._heard = 0  # how often something has come, for which the parser was taken from the shelf
        self._deadline: Timer | None = None
        self._allowance = Allowance(limits.bytes_per_second, limits.burst_bytes, server.clock.monotonic())
        self._negotiation: Negotiation | None = Negotiation(self, listeners, direct_tls=direct_tls, plaintext=plaintext)
        self._receive: Callable[[bytes], None] = self._negotiation.receive

    @property
    def over(self) -> bool:
        """Whether nothing that comes from the client counts any more."""
        return self.closing or self._ending

    # -- the connection's life

    def opened(self) -> None:
        self.log = stream_log(self.stream_id, self.peer)
        self.tap = wire_log(self.stream_id, self.peer)
        self._listeners.open.add(self)
        if self._listeners.full():
            self.abort()  # to take leave would keep a file open
            return
        self._admitted = self.server.connections.admit(self.peer)
        if not self._admitted:
            self.log.warning("too many connections from there", most=self.server.connections.most)
            self.fail(StreamError("resource-constraint", "too many connections from your address"))
            return
        self._deadline = self.server.clock.call_later(self.server.config.limits.seconds_before_login, self._too_slow)
        assert self._negotiation is not None
        self._negotiation.begin()

    def received(self, data: bytes) -> None:
        clock = self.server.clock
        wait = self._allowance.spend(len(data) + _READ_COST, clock.monotonic())
        if wait:
            self.pause_reading("rate")
            clock.call_later(wait, partial(self.resume_reading, "rate"))
        self._receive(data)

    def lost(self, reason: Exception | None) -> None:
        self._listeners.open.discard(self)
        self._cancel_deadline()
        if self._admitted:
            self.server.connections.leave(self.peer)
        session, self.session = self.session, None
        if session is not None:
            session.lost()
        self._negotiation = None
        self._receive = _ignore
        if not self.gone.done():
            self.gone.set_result(None)
        self.log.debug("disconnected", reason=str(reason) if reason else "closed")

    def _end_session(self, *, drop: bool = False) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.end(drop=drop)

    # -- ending

    def fail(self, error: StreamError) -> None:
        """End the stream with an error and the connection after it."""
        if self.over:
            return
        self.log_error(error, by="us")
        negotiation = self._negotiation
        if negotiation is not None and negotiation.mute:
            self.abort()
            return
        self.write(farewell(error) if negotiation is None else negotiation.farewell(error))
        self.finish(linger=True)

    def failed(self, error: StreamError) -> None:
        """The client has ended the stream with an error, to which its own end is the answer (RFC 6120 §4.9.1.1)."""
        self.log_error(error, by="the client")
        self._close_stream()

    def log_error(self, error: StreamError, *, by: str) -> None:
        """That the server stops is no news of each stream."""
        log = self.log.debug if error.condition == "system-shutdown" else self.log.info
        text = {"text": error.text} if error.text else {}
        log("stream ended with an error", condition=error.condition, **text, by=by)

    def _close_stream(self) -> None:
        """The client has closed its half: close ours."""
        if not self._ending:
            self.write(farewell())
        self.finish()

    def finish(self, *, linger: bool = False) -> None:
        """Everything is said: send it and close. Where the client doesn't know of the end yet it gets time to read our
        last words: what it sends meanwhile, left unread, would make the system reset the connection."""
        self._ending = True
        self._receive = _ignore
        self._cancel_deadline()
        self._end_session(drop=True)
        if linger and not self.closing:
            self.resume_all()
            self._deadline = self.server.clock.call_later(_FAREWELL, self.close)
        else:
            self.close()

    def hand_over(self) -> None:
        """The session goes on elsewhere: say so, and end without it."""
        self.session = None
        self.fail(StreamError("conflict", "the session was resumed on another connection"))

    def overflowed(self) -> None:
        self.log.info("the client doesn't read", waiting=self.transport.get_write_buffer_size())
        session, self.session = self.session, None
        if session is not None:
            session.lost()
        self.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.session is not None:
            self.session.clear()

    def _too_slow(self) -> None:
        self.fail(StreamError("connection-timeout", "log in sooner"))

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- stanzas

    def ready(self, parser: StreamParser, leftover: bytes, begin: Callable[[], None] | None = None) -> None:
        """Negotiation is over: what comes now goes to the session, which `begin` gives this connection where that has
        waited for it."""
        session = self.session
        if session is None:
            return
        self._cancel_deadline()
        self.parser = parser
        self._shelf = self._listeners.parsers.shelf(parser)
        self._negotiation = None
        self._receive = self._stanzas
        if begin is None:
            session.log.info("session begins")
        else:
            begin()
        self.log = session.log
        if leftover:
            self._stanzas(leftover)
        self._share_parser()

    def _stanzas(self, data: bytes) -> None:
        """The hot path: parse, and give each stanza to the session."""
        session = self.session
        if session is None:
            return
        parser = self.parser
        try:
            stanzas = parser.feed(data)
        except StreamError as error:
            session.handle(parser.ready)
            self._receive = _ignore
            session.finish(partial(self.fail, error))
            return
        session.handle(stanzas)
        if parser.ended:
            session.finish(self._close_stream)

    def _now_and_then(self, data: bytes) -> None:
        """Stanzas of a client that says little: it has a parser only for as long as it reads."""
        self.parser = self._shelf.take()
        self._receive = self._stanzas
        self._stanzas(data)
        self._heard += 1
        if self._heard <= _SELDOM:
            self._share_parser()

    def _share_parser(self) -> None:
        """Give the parser to others until something comes, unless a stanza is half read."""
        if self._receive == self._stanzas and self.parser.idle and not self.parser.ended:
            self._shelf.put(self.parser)
            del self.parser
            self._receive = self._now_and_then

    def rest(self, silent_since: float) -> None:
        """A client that was heard seldom since the last time, or not at all of late, shares its parser."""
        if self._heard <= _SELDOM or self._allowance.since <= silent_since:
            self._heard = 0
            self._share_parser()


def _ignore(data: bytes) -> None:
    """After the end nothing counts but the peer's own end, which closes the connection."""
