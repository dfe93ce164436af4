"""A session: one resource that a client has bound, from its log-in to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from chirrup.core.errors import AddressError, StanzaError, StreamError
from chirrup.core.jid import JID
from chirrup.core.stanza import IQ_TYPES, MESSAGE_TYPES, PRESENCE_TYPES, SUBSCRIPTION_TYPES, read_stream_error
from chirrup.core.stream import unexpected
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element
from chirrup.server import redelivery
from chirrup.server.keeper import Keeper
from chirrup.server.outgoing import Outgoing
from chirrup.server.resume import Absent, detach
from chirrup.server.router import bounce, reason_of

if TYPE_CHECKING:
    from chirrup.server.account import Account
    from chirrup.server.logs import Logger

_MAX_WAITING: Final = 64
"""Stanzas that may wait behind one whose handler waits, before the client isn't read any more."""
_TURN: Final = 64
"""Stanzas of one client that are processed before others have their turn."""
_TURN_OCTETS: Final = 65_536
"""Octets that they are answered with, after which it ends before its time."""


class Origin(Protocol):
    """Where a stanza came from, and so where its errors and answers go."""

    def answer(self, stanza: Element) -> None:
        """Give the server's own answer to a stanza of this origin."""

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        """Answer nothing more before `stored` (a future of the store) is done: what the answers would acknowledge is
        not durable before. If storing fails the stanza is answered with an error."""

    @property
    def patient(self) -> bool:
        """Whether its messages may be held while storage fails, and stored when that works again. That isn't for those
        who aren't told what is stored: they are told at once what isn't."""


class Wire(Protocol):
    """What a session needs of its connection."""

    @property
    def peer(self) -> str:
        """The IP address that the client has; "" while it has no connection."""

    @property
    def congested(self) -> bool:
        """Whether the client doesn't read as fast as it is written to; when it has, `Session.clear` is called."""

    def write(self, data: bytes) -> None: ...
    def fail(self, error: StreamError) -> None: ...
    def failed(self, error: StreamError) -> None: ...
    def pause_reading(self, why: str) -> None: ...
    def resume_reading(self, why: str) -> None: ...

    def abort(self) -> None:
        """Cut the connection."""

    def hand_over(self) -> None:
        """The session goes on elsewhere: say so, and end without it."""


class Session(Outgoing, Keeper):
    """A client's bound resource. Created by the connection when binding succeeds."""

    __slots__ = (
        "_clear", "account", "data", "jid", "lang", "most_available_since", "presence", "priority", "secure", "since",
    )  # fmt: skip

    def __init__(self, account: Account, jid: JID, wire: Wire, *, log: Logger, secure: bool, lang: str = "") -> None:
        super().__init__(account.host, wire, log)
        self.account = account
        self.jid = jid
        self.secure = secure
        self.lang = lang
        """The language of stanzas that don't say theirs (RFC 6120 §4.7.4)."""
        self.since = self.host.clock.time()
        self.presence: Element | None = None
        """The last available presence sent to everybody; None while unavailable."""
        self.priority = 0
        self.most_available_since = 0.0
        """Since when it is one of `account.most_available`, if it is, by the clock that never goes back."""
        self.data: dict[type, object] = {}
        self._clear: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Session {self.jid}>"

    @property
    def detached(self) -> bool:
        """Whether the client has lost its connection and may come back."""
        return type(self.wire) is Absent

    def lost(self) -> None:
        """The connection is gone: wait for the client where it may come back, else end."""
        if self.management is not None and self.management.id and not (self.closing or self._over or self.detached):
            detach(self)
        else:
            self.end()

    def give_up(self) -> None:
        """End the session, but not within what happens now: the client takes too long."""
        asyncio.get_running_loop().call_soon(self._give_up)

    def _give_up(self) -> None:
        self.wire.fail(StreamError("policy-violation", "too many stanzas wait for your acknowledgement"))

    def expire(self) -> None:
        """The client hasn't come back in time."""
        self.log.info("nobody came back to the session")
        self.end()

    def end(self, *, drop: bool = False) -> None:
        """The session is over: take it from its account and tell the modules. Safe to call twice.

        What waits behind a handler is processed still, but for presence, unless it is to be dropped, or the client asks
        before its turn how much was handled: it sends the rest again."""
        self._over = True
        if drop and self._queue is not None:
            self._queue.clear()
        account = self.account
        if account.sessions.get(self.jid.resource) is not self:
            return
        del account.sessions[self.jid.resource]
        account.rank()
        if type(self.wire) is Absent:
            self.wire.timer.cancel()
        self.clear()
        left = self.stop_writing()
        self.tell(self.host.hooks.session_closed)
        self.presence = None
        self.nothing_leaves()
        self.log.info("session ends")
        if self.management is not None:
            self.host.resumable.remove(self.management, self.dealt_with, self._queue)
            left = self.management.stop()
        if left:
            redelivery.redeliver(self, left)
        if self.host.anonymous and not account.sessions:
            self.host.forget(account)

    def tell(self, handlers: Iterable[Callable[[Session], None]]) -> None:
        """Tell modules what has become of the session; one that fails takes no other with it."""
        for handler in handlers:
            try:
                handler(self)
            except Exception:
                self.log.exception("a module failed at what has become of a session")

    # -- from the client

    def handle(self, stanzas: Sequence[Element]) -> None:
        """Process what the client sent; never raises. A stanza whose handler waits holds up those behind it. So do
        others' turns, where much has come at once."""
        if self._queue is not None:
            if not self._over:
                self._queue.extend(stanzas)
                self._hold_off()
            return
        self.answered = 0
        for number, stanza in enumerate(stanzas, 1):
            if self._over:
                return
            waiting = None
            try:
                waiting = self._process(stanza)
            except Exception as error:
                self._failed(stanza, error)
            if waiting is not None or number >= _TURN or self.answered > _TURN_OCTETS:
                if waiting is not None or number < len(stanzas):
                    self._queue = deque(stanzas[number:])
                    self._hold_off()
                    self._underway = waiting is not None
                    self.host.server.spawn(self._go_on(stanza, waiting))
                return

    def _hold_off(self) -> None:
        """Have the client not read while much waits."""
        if self._queue is not None and len(self._queue) >= _MAX_WAITING:
            self.wire.pause_reading("behind")

    async def _go_on(self, stanza: Element, waiting: Awaitable[None] | None) -> None:
        """Wait for one stanza's handler, if it waits, then process what has queued up behind it."""
        queue = self._queue
        assert queue is not None
        done = 0 if waiting is not None else _TURN
        while waiting is not None or queue:
            if waiting is not None:
                try:
                    await waiting
                except Exception as error:
                    self._failed(stanza, error)
                waiting, self._underway = None, False
                continue
            if done >= _TURN or self.answered > _TURN_OCTETS:
                await self._let_others()
                done = 0
                continue
            stanza = queue.popleft()
            done += 1
            if self._over and stanza.name == "presence":
                if self.management is not None:
                    self.management.handled += 1
                continue  # who is gone has become unavailable already
            try:
                waiting = self._process(stanza)
            except Exception as error:
                self._failed(stanza, error)
            self._underway = waiting is not None
        self._queue = None
        self.wire.resume_reading("behind")
        self.all_processed()

    async def _let_others(self) -> None:
        """Leave the loop to others, for as long as the client doesn't read what it was answered."""
        await asyncio.sleep(0)
        while self.wire.congested and not self._over:
            self._clear = asyncio.get_running_loop().create_future()
            await self._clear
        self.answered = 0

    def clear(self) -> None:
        """The client has read, or is gone: what waits for that is processed."""
        if self._clear is not None and not self._clear.done():
            self._clear.set_result(None)

    def _failed(self, stanza: Element, error: Exception) -> None:
        if isinstance(error, StreamError):
            self.end(drop=True)
            self.wire.fail(error)
            return
        reason = reason_of(error, self.log)
        if stanza.ns == CLIENT:
            bounce(stanza, self, reason)

    def _process(self, stanza: Element) -> Awaitable[None] | None:
        if stanza.ns != CLIENT:
            self._no_stanza(stanza)
            return None
        if self.management is not None:
            self.management.handled += 1
            if self._sent_before and self.has_come_before(stanza, self.management.handled):
                return None
            if self._unsettled and self.host.store.holding:
                self.note_processed(stanza, self.management.handled)
        attrs = stanza.attrs
        jid = self.jid
        sender = attrs.get("from")
        if sender is not None and sender != jid.text and not self._is_me(sender):
            raise StreamError("invalid-from", "a client sends in its own name only")
        attrs["from"] = jid.text
        if self.lang and XML_LANG not in attrs:
            attrs[XML_LANG] = self.lang
        addressee = attrs.get("to")
        try:
            to = jid.bare if addressee is None else JID.parse(addressee)
        except AddressError as error:
            attrs.pop("to")  # an answer can't come from an address that is none
            raise StanzaError("jid-malformed", str(error)) from None
        match stanza.name:
            case "message":
                return self._message(stanza, to)
            case "presence":
                return self._presence(stanza, None if addressee is None else to)
            case "iq":
                return self._iq(stanza, None if addressee is None else to)
        raise unexpected(stanza)

    def _no_stanza(self, element: Element) -> None:
        handler = self.host.nonzas.get((element.name, element.ns))
        if handler is not None:
            handler(self, element)
            return
        if element.name != "error" or element.ns != STREAMS:
            raise unexpected(element)
        self.wire.failed(read_stream_error(element))

    def _is_me(self, sender: str) -> bool:
        try:
            claimed = JID.parse(sender)
        except AddressError:
            return False
        return claimed in (self.jid, self.jid.bare)

    def _message(self, stanza: Element, to: JID) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind is not None and kind not in MESSAGE_TYPES:
            stanza.attrs["type"] = "normal"  # RFC 6121 §5.2.2: an unknown type is normal
        for handler in self.host.hooks.message_out:
            if handler(self, stanza, to):
                return None
        return self.host.router.route(stanza, to, self.jid, self)

    def _presence(self, stanza: Element, to: JID | None) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind is not None and kind not in PRESENCE_TYPES:
            raise StanzaError("bad-request", f"presence has no type {kind!r}")
        if to is None:
            if kind is not None and kind != "unavailable":
                raise StanzaError("bad-request", f"presence of type {kind!r} needs an address")
            for undirected in self.host.hooks.presence_out:
                undirected(self, stanza)
            return None
        hooks = self.host.hooks
        if kind in SUBSCRIPTION_TYPES:
            for subscribe in hooks.subscription_out:
                dealt = subscribe(self, stanza, to.bare)
                if dealt:
                    return None if dealt is True else dealt
            stanza.attrs["from"] = self.jid.bare.text
            return self.host.router.route(stanza, to.bare, self.jid.bare, self)
        for directed in hooks.presence_directed:
            if directed(self, stanza, to):
                return None
        if kind == "probe":  # servers do that for their clients, but it is no error (RFC 6121 §4.3)
            stanza.attrs["from"] = self.jid.bare.text
            return self.host.router.route(stanza, to, self.jid.bare, self)
        return self.host.router.route(stanza, to, self.jid, self)

    def _iq(self, stanza: Element, to: JID | None) -> Awaitable[None] | None:
        kind = stanza.attrs.get("type")
        if kind not in IQ_TYPES or "id" not in stanza.attrs:
            raise StanzaError("bad-request", "an IQ has an id and is of type get, set, result or error")
        children = sum(1 for child in stanza.children if isinstance(child, Element))
        if kind in ("get", "set") and children != 1:
            raise StanzaError("bad-request", f"an IQ {kind} has exactly one payload, not {children}")
        if to is None:
            return self.host.iq.receive(stanza, self.jid.bare, self.jid, self)
        for handler in self.host.hooks.iq_out:
            if handler(self, stanza, to):
                return None
        return self.host.router.route(stanza, to, self.jid, self)
