"""A client's connection: negotiation by `core.stream`, then stanzas straight from the parser to the session."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from chirrup.core.errors import LocalProtocolError, StanzaError, StreamError
from chirrup.core.framing import farewell
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    BindRequest,
    Closed,
    EarlyIQ,
    Event,
    Failed,
    HostPolicy,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    Opened,
    Ready,
    Security,
    ServerStream,
    StartTLS,
)
from chirrup.net.clock import Timer, sleep
from chirrup.net.connection import Connection
from chirrup.net.tls import certificate_for, channel_bindings
from chirrup.server.binding import bind
from chirrup.server.limits import Allowance
from chirrup.server.logs import stream_log
from chirrup.server.session import Session
from chirrup.server.wire_log import wire_log

if TYPE_CHECKING:
    from chirrup.server.app import Server
    from chirrup.server.host import Host
    from chirrup.server.listen import Listeners

_HANDSHAKE: Final = 20.0
"""Seconds that a TLS handshake may take."""
_LONGEST_TAG: Final = 35
_READ_COST: Final = 64
"""Octets that a read counts for besides what it brought: who sends single octets makes the most work of each."""
_FAREWELL: Final = 5.0
"""Seconds that a client has to close its half of the stream after ours (RFC 6120 §4.4)."""


class ClientConnection(Connection):
    """One connection from a client, from accept to close."""

    __slots__ = (
        "_admitted", "_allowance", "_asked", "_before_login", "_deadline", "_direct_tls", "_early", "_ending",
        "_listeners", "_plaintext", "_receive", "_secure", "gone", "host", "log", "parser", "server", "session",
        "stream", "stream_id",
    )  # fmt: skip

    parser: StreamParser

    def __init__(self, server: Server, listeners: Listeners, *, direct_tls: bool, plaintext: bool) -> None:
        limits = server.config.limits
        loop = asyncio.get_running_loop()
        super().__init__(loop, send_buffer_bytes=limits.send_buffer_bytes)
        self.server = server
        self.stream_id = secrets.token_hex(8)
        self.log = stream_log(self.stream_id, "")
        self.host: Host | None = None
        self.session: Session | None = None
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the connection is closed."""
        self.stream: ServerStream | None = None
        self._listeners = listeners
        self._direct_tls = direct_tls
        self._plaintext = plaintext
        self._secure = False
        self._admitted = False
        self._early: list[bytes] = []
        self._ending = False
        self._asked = False  # a question of the stream's is being answered
        self._before_login = limits.bytes_before_login
        self._deadline: Timer | None = None
        self._allowance = Allowance(limits.bytes_per_second, limits.burst_bytes, server.clock.monotonic())
        self._receive: Callable[[bytes], None] = self._negotiate

    # -- the connection's life

    def opened(self) -> None:
        self.log = stream_log(self.stream_id, self.peer)
        self.tap = wire_log(self.stream_id, self.peer)
        self._listeners.open.add(self)
        limits = self.server.config.limits
        self.stream = ServerStream(
            make_id=self._make_id,
            make_nonce=lambda: secrets.token_urlsafe(24),
            limits=Limits(stanza_bytes=limits.stanza_bytes_before_login),
            default_host=next(iter(self.server.hosts)),
        )
        self._admitted = self.server.connections.admit(self.peer)
        if not self._admitted:
            self.log.warning("too many connections from there", most=self.server.connections.most)
            self.fail(StreamError("resource-constraint", "too many connections from your address"))
            return
        self.log.debug("connected", direct_tls=self._direct_tls)
        self._deadline = self.server.clock.call_later(limits.seconds_before_login, self._too_slow)
        if self._direct_tls:
            self._begin_tls()

    def _make_id(self) -> str:
        """Unpredictable, and with the id by which the log knows the stream at its beginning (RFC 6120 §4.7.3)."""
        return f"{self.stream_id}-{secrets.token_hex(8)}"

    def received(self, data: bytes) -> None:
        clock = self.server.clock
        wait = self._allowance.spend(len(data) + _READ_COST, clock.monotonic())
        if wait:
            self.pause_reading("rate")
            clock.call_later(wait, partial(self.resume_reading, "rate"))
        self._receive(data)

    def _ignore(self, data: bytes) -> None:
        """After the end nothing counts but the peer's own end, which closes the connection."""

    def lost(self, reason: Exception | None) -> None:
        self._listeners.open.discard(self)
        self._cancel_deadline()
        if self._admitted:
            self.server.connections.leave(self.peer)
        self._end_session()
        self.stream = None
        if not self.gone.done():
            self.gone.set_result(None)
        self.log.debug("disconnected", reason=str(reason) if reason else "closed")

    def _end_session(self, *, drop: bool = False) -> None:
        session, self.session = self.session, None
        if session is not None:
            session.end(drop=drop)

    def _spawn(self, work: Awaitable[None]) -> None:
        self.server.spawn(work)

    # -- ending

    def fail(self, error: StreamError) -> None:
        """End the stream with an error and the connection after it."""
        if self._ending or self.closing:
            return
        self._log_error(error, by="us")
        if self._direct_tls and not self._secure:
            self.abort()  # before TLS nothing can be said
            return
        stream = self.stream
        if stream is not None:
            stream.fail(error)
            self.write(stream.take())
        else:
            self.write(farewell(error))
        self._finish(linger=True)

    def failed(self, error: StreamError) -> None:
        """The client has ended the stream with an error, to which its own end is the answer (RFC 6120 §4.9.1.1)."""
        self._log_error(error, by="the client")
        self._close_stream()

    def _log_error(self, error: StreamError, *, by: str) -> None:
        """That the server stops is no news of each stream."""
        log = self.log.debug if error.condition == "system-shutdown" else self.log.info
        text = {"text": error.text} if error.text else {}
        log("stream ended with an error", condition=error.condition, **text, by=by)

    def _close_stream(self) -> None:
        """The client has closed its half: close ours."""
        if not self._ending:
            self.write(farewell())
        self._finish()

    def _finish(self, *, linger: bool = False) -> None:
        """Everything is said: send it and close. Where the client doesn't know of the end yet it gets time to read our
        last words: what it sends meanwhile, left unread, would make the system reset the connection."""
        self._ending = True
        self._receive = self._ignore
        self._cancel_deadline()
        self._end_session(drop=True)
        if linger and not self.closing:
            self.resume_all()
            self._deadline = self.server.clock.call_later(_FAREWELL, self.close)
        else:
            self.close()

    def overflowed(self) -> None:
        self.log.info("the client doesn't read", waiting=self.transport.get_write_buffer_size())
        self._end_session()
        self.abort()

    def _too_slow(self) -> None:
        self.fail(StreamError("connection-timeout", "log in sooner"))

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- stanzas

    def _stanzas(self, data: bytes) -> None:
        """The hot path: parse, and give each stanza to the session."""
        session = self.session
        if session is None:
            return
        parser = self.parser
        try:
            stanzas = parser.feed(data)
        except StreamError as error:
            for stanza in parser.ready:
                session.handle(stanza)
            self._receive = self._ignore
            session.finish(partial(self.fail, error))
            return
        for stanza in stanzas:
            session.handle(stanza)
        if parser.ended:
            session.finish(self._close_stream)

    # -- negotiation

    def _negotiate(self, data: bytes) -> None:
        stream = self.stream
        if stream is None:
            return
        self._before_login -= len(data)
        if self._before_login < 0:
            self.fail(StreamError("policy-violation", "that is too much before a log-in"))
            return
        self._act(stream, stream.receive(data))

    def _act(self, stream: ServerStream, events: list[Event]) -> None:
        """Do what the stream's events ask for, then send what it has to say."""
        for position, event in enumerate(events, 1):
            if isinstance(event, AuthFailed) and self._slow_down(stream, event, events[position:]):
                return
            self._on(stream, event)
        if self._receive is self._ignore or self._asked:
            return
        self._send_out(stream)

    def _send_out(self, stream: ServerStream) -> None:
        if (out := stream.take()) and not self.closing:
            self.write(out)

    def _on(self, stream: ServerStream, event: Event) -> None:
        match event:
            case Opened():
                self._accept(stream, event)
            case StartTLS():
                self._send_out(stream)
                self._begin_tls()
            case NeedKeys() | NeedPassword() | NeedIdentity() | EarlyIQ() | BindRequest():
                self._asked = True
                self.pause_reading("asked")
                self._send_out(stream)
                self._spawn(self._answer(stream, event))
            case Authenticated(username=username, mechanism=mechanism):
                self.log = self.log.bind(user=username or "anonymous")
                self.log.info("authenticated", mechanism=mechanism, secure=self._secure)
            case Ready():
                self._ready(stream)
            case Failed(error=error, received=received):
                self._log_error(error, by="the client" if received else "us")
                self._send_out(stream)
                self._finish(linger=not received)
            case Closed():
                self._send_out(stream)
                self._finish()

    def _accept(self, stream: ServerStream, event: Opened) -> None:
        host = self.server.hosts.get(event.to)
        if host is None:
            self._act(stream, stream.fail(StreamError("host-unknown", f"{event.to} isn't served here")))
            return
        if self.host is not host:
            self.host = host
            self.log = self.log.bind(host=host.name)
        self._act(stream, stream.accept(self._policy(host, stream)))

    def _policy(self, host: Host, stream: ServerStream) -> HostPolicy:
        limits = self.server.config.limits
        return HostPolicy(
            domain=host.jid.domain,
            mechanisms=host.mechanisms,
            tls=not self._secure,
            tls_required=not self._plaintext,
            limits=Limits(stanza_bytes=limits.stanza_bytes),
            features_before=host.stream_features(logged_in=False, secure=self._secure),
            features_after=host.stream_features(logged_in=True, secure=self._secure),
            early_iqs=host.iq.early_namespaces,
            auth_retries=limits.log_in_attempts - 1,
        )

    def _begin_tls(self) -> None:
        """From now on nothing is read in the clear; what comes in with the end of the handshake waits for it."""
        self.pause_reading("handshake")
        self._receive = self._early.append
        self._spawn(self._handshake())

    async def _handshake(self) -> None:
        stream = self.stream
        try:
            await self.start_tls(self._listeners.store.context, server_side=True, seconds=_HANDSHAKE)
        except (OSError, ssl.SSLError, asyncio.CancelledError) as error:
            self.log.info("TLS handshake failed", reason=str(error) or type(error).__name__)
            return
        if stream is None or self.closing or self._ending:
            return
        self._paused.discard("handshake")  # the new transport reads
        self._receive = self._negotiate
        self._secure = True
        tls = cast("ssl.SSLObject", self.transport.get_extra_info("ssl_object"))
        security = Security(channel_bindings=channel_bindings(tls, certificate_for(tls)))
        self.log.debug("TLS", version=tls.version(), cipher=(tls.cipher() or ("",))[0])
        if self._direct_tls:
            stream.security = security
        else:
            self._act(stream, stream.secured(security))
        early, self._early = b"".join(self._early), []
        if early and self._receive == self._negotiate:
            self._negotiate(early)

    async def _answer(self, stream: ServerStream, event: Event) -> None:
        """Find out what the stream asked, tell it, and go on."""
        host = self.host
        assert host is not None
        try:
            tell = await self._find_out(host, stream, event)
        except Exception:
            self.log.exception("negotiation failed")
            self.fail(StreamError("internal-server-error"))
            return
        if self.closing or self._ending:
            return
        self._asked = False
        self.resume_reading("asked")
        try:
            self._act(stream, tell())
        except LocalProtocolError:
            self.log.exception("negotiation failed")
            self.fail(StreamError("internal-server-error"))

    async def _find_out(self, host: Host, stream: ServerStream, event: Event) -> Callable[[], list[Event]]:
        credentials = self.server.credentials
        domain = host.jid.domain
        match event:
            case NeedKeys() | NeedPassword() if self._guesses:
                return lambda: stream.fail(_too_many_failed())
            case NeedKeys(username=username, algorithm=algorithm):
                keys = await credentials.keys(domain, username, algorithm)
                return lambda: stream.keys(keys)
            case NeedPassword(username=username, password=password):
                right = await credentials.check(domain, username, password)
                return lambda: stream.verified(right)
            case NeedIdentity():
                return lambda: stream.verified(False)  # clients have no certificates here
            case EarlyIQ(iq=iq):
                try:
                    reply = await host.iq.answer_early(iq, peer=self.peer)
                except StanzaError as error:
                    refused = error
                    return lambda: stream.refuse(refused)
                return lambda: stream.send(reply)
            case BindRequest(resource=resource):
                return await self._bind(host, stream, resource)
        raise AssertionError(f"nobody answers {event!r}")

    async def _bind(self, host: Host, stream: ServerStream, resource: str | None) -> Callable[[], list[Event]]:
        identity = stream.identity
        assert identity is not None
        account = identity.account
        if account is None:  # anonymous: an account for this session only (XEP-0175)
            account = JID.of(secrets.token_hex(8), host.jid.domain)
        try:
            session = await bind(
                host, account, resource, self, log=self.log, secure=self._secure, lang=_language(stream.lang)
            )
        except StanzaError as error:
            refused = error
            return lambda: stream.refuse(refused)
        if self.closing or self._ending:
            session.end()
        else:
            self.session = session
        return lambda: stream.bound(session.jid)

    @property
    def _guesses(self) -> bool:
        """Whether so many log-ins have failed from there that no more are tried, be they right."""
        server = self.server
        return server.failed_logins.refused(self.peer, server.clock.monotonic()) > 0

    def _slow_down(self, stream: ServerStream, failed: AuthFailed, rest: list[Event]) -> bool:
        """Note a failed log-in. Where there were many from there it is told late, and what the client sent behind it
        is read late; where there were too many the stream ends. Says whether one or the other is under way."""
        server = self.server
        now = server.clock.monotonic()
        if failed.username is None:  # no guess: the client and the mechanism don't fit
            self.log.info("log-in failed", condition=failed.condition, reason=failed.text)
            return False
        self.log.warning("log-in failed", user=failed.username, condition=failed.condition, reason=failed.text)
        if failed.condition != "not-authorized":
            return False  # that was no guess
        server.failed_logins.note(self.peer, now)
        if server.failed_logins.refused(self.peer, now):
            self._act(stream, stream.fail(_too_many_failed()))
            return True
        delay = server.failed_logins.delay(self.peer, now)
        if delay:
            self._asked = True
            self.pause_reading("asked")
            self._spawn(self._go_on_later(stream, rest, delay))
        return bool(delay)

    async def _go_on_later(self, stream: ServerStream, events: list[Event], delay: float) -> None:
        await sleep(self.server.clock, delay)
        if not (self.closing or self._ending):
            self._asked = False
            self.resume_reading("asked")
            self._act(stream, events)

    def _ready(self, stream: ServerStream) -> None:
        """Negotiation is over: what comes now goes to the session."""
        session = self.session
        if session is None:
            return
        self._send_out(stream)
        self._cancel_deadline()
        self.parser, leftover = stream.parser, stream.leftover
        self.stream = None
        self._receive = self._stanzas
        self.log = session.log
        self.log.info("session begins")
        if leftover:
            self._stanzas(leftover)


def _too_many_failed() -> StreamError:
    return StreamError("policy-violation", "too many failed log-ins; try again later")


def _language(text: str) -> str:
    """A language tag that may be written on every stanza; "" for what is none (RFC 5646 §2.1)."""
    return text if len(text) <= _LONGEST_TAG and text.replace("-", "").isalnum() and text.isascii() else ""
