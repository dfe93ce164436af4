"""The way of a client's connection to its session: TLS, log-in and binding, as `core.stream` asks for them."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from chirrup.core.errors import LocalProtocolError, SASLError, StanzaError, StreamError
from chirrup.core.features.resume.elements import feature as sm_feature
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
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
    NeedTokens,
    NeedUpgrades,
    Opened,
    Ready,
    ResumeRequest,
    Security,
    ServerStream,
    SessionRequest,
    StartTLS,
)
from chirrup.net.clock import sleep
from chirrup.net.tls import certificate_for, channel_bindings
from chirrup.server.auth import ALGORITHMS
from chirrup.server.binding import bind
from chirrup.server.establish import Establishing
from chirrup.server.resume import NotResumable, attach

if TYPE_CHECKING:
    from chirrup.server.c2s import ClientConnection
    from chirrup.server.host import Host
    from chirrup.server.listen import Listeners

_HANDSHAKE: Final = 20.0
"""Seconds that a TLS handshake may take."""
_LONGEST_TAG: Final = 35
_QUESTIONS: Final = (
    NeedKeys, NeedPassword, NeedIdentity, NeedTokens, NeedUpgrades, EarlyIQ, BindRequest, ResumeRequest, SessionRequest,
)  # fmt: skip


class Negotiation:
    """Does what one stream asks for until it is ready; the connection holds it until then, or until it is gone."""

    __slots__ = (
        "_asked", "_before_login", "_connection", "_direct_tls", "_early", "_host", "_in_handshake", "_kept",
        "_listeners", "_plaintext", "_resumes", "_secure", "_server", "_stream",
    )  # fmt: skip

    def __init__(
        self, connection: ClientConnection, listeners: Listeners, *, direct_tls: bool, plaintext: bool
    ) -> None:
        """`direct_tls` says that TLS comes before the stream, `plaintext` that there may be none at all."""
        self._connection = connection
        self._server = connection.server
        self._listeners = listeners
        self._direct_tls = direct_tls
        self._plaintext = plaintext
        limits = self._server.config.limits
        self._before_login = limits.bytes_before_login
        self._stream = ServerStream(
            make_id=partial(_make_id, connection.stream_id),
            make_nonce=_make_nonce,
            limits=Limits(stanza_bytes=limits.stanza_bytes_before_login),
            default_host=next(iter(self._server.hosts)),
        )
        self._host: Host | None = None
        self._secure = False
        self._in_handshake = False
        self._early: list[bytes] = []
        self._kept: dict[type, Any] = {}  # by modules, before there is a session
        self._asked = False  # a question of the stream's is being answered
        self._resumes: Callable[[], None] | None = None  # what gives the connection a former session

    def begin(self) -> None:
        """The connection stands."""
        self._connection.log.debug("connected", direct_tls=self._direct_tls)
        if self._direct_tls:
            self._begin_tls()

    @property
    def mute(self) -> bool:
        """Whether nothing can be said yet: where TLS comes first there is no stream before it."""
        return self._direct_tls and not self._secure

    def farewell(self, error: StreamError) -> bytes:
        """The last words of a stream that ends with this error."""
        self._stream.fail(error)
        return self._stream.take()

    def receive(self, data: bytes) -> None:
        if self._in_handshake:
            self._early.append(data)
            return
        self._before_login -= len(data)
        if self._before_login < 0:
            self._connection.fail(StreamError("policy-violation", "that is too much before a log-in"))
            return
        self._act(self._stream.receive(data))

    # -- what happens on the stream

    def _act(self, events: list[Event]) -> None:
        """Do what the stream's events ask for, then send what it has to say."""
        for position, event in enumerate(events, 1):
            if isinstance(event, AuthFailed) and self._slow_down(event, events[position:]):
                return
            self._on(event)
        if not (self._connection.over or self._asked):
            self._send_out()

    def _send_out(self) -> None:
        if (out := self._stream.take()) and not self._connection.closing:
            self._connection.write(out)

    def _on(self, event: Event) -> None:
        connection = self._connection
        match event:
            case Opened():
                self._accept(event)
            case StartTLS():
                self._send_out()
                self._begin_tls()
            case _ if isinstance(event, _QUESTIONS):
                self._wait()
                self._send_out()
                self._server.spawn(self._answer(event))
            case Authenticated(username=username, mechanism=mechanism):
                connection.log = connection.log.bind(user=username or "anonymous")
                connection.log.info("authenticated", mechanism=mechanism, secure=self._secure)
            case Ready():
                self._send_out()
                connection.ready(self._stream.parser, self._stream.leftover, self._resumes)
            case Failed(error=error, received=received):
                connection.log_error(error, by="the client" if received else "us")
                self._send_out()
                connection.finish(linger=not received)
            case Closed():
                self._send_out()
                connection.finish()

    def _wait(self) -> None:
        """Nothing more is read before a question is answered."""
        self._asked = True
        self._connection.pause_reading("asked")

    def _go_on(self) -> None:
        self._asked = False
        self._connection.resume_reading("asked")

    def _accept(self, event: Opened) -> None:
        connection = self._connection
        host = self._server.hosts.get(event.to)
        if host is None:
            self._act(self._stream.fail(StreamError("host-unknown", f"{event.to} isn't served here")))
            return
        if self._host is not host:
            self._host = host
            connection.log = connection.log.bind(host=host.name)
        if event.sender is None or not self._secure or host.anonymous or self._stream.identity is not None:
            self._act(self._stream.accept(self._policy(host)))
        else:
            self._wait()
            self._server.spawn(self._answer(event))

    async def _accept_account(self, host: Host, sender: JID) -> Callable[[], list[Event]]:
        """Offer only what the account has keys for (XEP-0388 §2.1), which may have come from a server with fewer."""
        lacking = await self._server.credentials.lacking(sender.domain, sender.local)
        policy = self._policy(host)
        unusable = {f"SCRAM-{name}{plus}" for name in lacking for plus in ("", "-PLUS")}
        usable = tuple(name for name in policy.mechanisms if name not in unusable)
        return lambda: self._stream.accept(replace(policy, mechanisms=usable or policy.mechanisms))

    def _policy(self, host: Host) -> HostPolicy:
        limits = self._server.config.limits
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
            sasl2=True,
            bind_inline=tuple(dict.fromkeys(ns for _, ns in host.bind_inline)),
            inline=(sm_feature(),) if limits.resumption_seconds and not host.anonymous else (),
            tokens=host.tokens is not None,
            upgrades=tuple(name for name in ALGORITHMS if f"SCRAM-{name}" in host.mechanisms),
        )

    # -- TLS

    def _begin_tls(self) -> None:
        """From now on nothing is read in the clear; what comes in with the end of the handshake waits for it."""
        self._in_handshake = True
        begun = self._connection.start_tls(self._listeners.store.context, server_side=True, seconds=_HANDSHAKE)
        self._server.spawn(self._handshake(begun))

    async def _handshake(self, begun: Awaitable[None]) -> None:
        connection, stream = self._connection, self._stream
        try:
            await begun
        except (OSError, ssl.SSLError, asyncio.CancelledError) as error:
            connection.log.info("TLS handshake failed", reason=str(error) or type(error).__name__)
            return
        if connection.over:
            return
        self._in_handshake = False
        self._secure = True
        tls = cast("ssl.SSLObject", connection.transport.get_extra_info("ssl_object"))
        security = Security(channel_bindings=channel_bindings(tls, certificate_for(tls)))
        connection.log.debug("TLS", version=tls.version(), cipher=(tls.cipher() or ("",))[0])
        if self._direct_tls:
            stream.security = security
        else:
            self._act(stream.secured(security))
        early, self._early = b"".join(self._early), []
        if early and not connection.over:
            self.receive(early)

    # -- questions

    async def _answer(self, event: Event) -> None:
        """Find out what the stream asked, tell it, and go on."""
        connection, host = self._connection, self._host
        assert host is not None
        try:
            tell = await self._find_out(host, event)
        except Exception:
            connection.log.exception("negotiation failed")
            connection.fail(StreamError("internal-server-error"))
            return
        if connection.over:
            return
        self._go_on()
        try:
            self._act(tell())
        except LocalProtocolError:
            connection.log.exception("negotiation failed")
            connection.fail(StreamError("internal-server-error"))

    async def _find_out(self, host: Host, event: Event) -> Callable[[], list[Event]]:
        stream, credentials = self._stream, self._server.credentials
        domain = host.jid.domain
        match event:
            case Opened(sender=JID() as sender):
                return await self._accept_account(host, sender)
            case NeedKeys() | NeedPassword() | NeedTokens() if self._guesses:
                return lambda: stream.fail(_too_many_failed())
            case NeedKeys(username=username, algorithm=algorithm):
                keys, barred = await credentials.keys(domain, username, algorithm)
                return lambda: stream.keys(keys, barred=barred)
            case NeedPassword(username=username, password=password):
                try:
                    right = await credentials.check(domain, username, password)
                except SASLError as error:
                    disabled = error
                    return lambda: stream.reject(disabled)
                return lambda: stream.verified(right)
            case NeedTokens(username=username, client=client, mechanism=mechanism):
                account = JID.of(username, domain)
                tokens = await host.tokens.known(account, client, mechanism) if host.tokens else []
                barred = await credentials.barred(domain, username)
                return lambda: stream.tokens(tokens, barred=barred)
            case NeedUpgrades(username=username, algorithms=algorithms):
                missing = await credentials.missing(domain, username, algorithms)
                return lambda: stream.upgrades(missing)
            case SessionRequest():
                return await self._establish(host, event)
            case NeedIdentity():
                return lambda: stream.verified(False)  # clients have no certificates here
            case EarlyIQ(iq=iq):
                try:
                    reply = await host.iq.answer_early(iq, peer=self._connection.peer, stream=self._kept)
                except StanzaError as error:
                    refused = error
                    return lambda: stream.refuse(refused)
                return lambda: stream.send(reply)
            case BindRequest(resource=resource):
                return await self._bind(host, resource)
            case ResumeRequest(previd=previd, h=h):
                return await self._resume(host, previd, h)
        raise AssertionError(f"nobody answers {event!r}")

    async def _bind(self, host: Host, resource: str | None) -> Callable[[], list[Event]]:
        stream, connection = self._stream, self._connection
        identity = stream.identity
        assert identity is not None
        account = identity.account
        if account is None:  # anonymous: an account for this session only (XEP-0175)
            account = JID.of(secrets.token_hex(8), host.jid.domain)
        try:
            session = await bind(
                host, account, resource, connection,
                log=connection.log, secure=self._secure, lang=_language(stream.lang),
            )  # fmt: skip
        except StanzaError as error:
            refused = error
            return lambda: stream.refuse(refused)
        if connection.over:
            session.end()
        else:
            connection.session = session
        return lambda: stream.bound(session.jid)

    async def _establish(self, host: Host, request: SessionRequest) -> Callable[[], list[Event]]:
        stream, connection = self._stream, self._connection
        log_in = Establishing(host, connection, request, secure=self._secure, lang=_language(stream.lang))
        try:
            done = await log_in.run()
        except SASLError as error:
            refused = error
            return lambda: stream.reject(refused)
        except StreamError as error:
            fault = error
            return lambda: stream.fail(fault)
        if connection.over:
            if done.session is not None and done.go_on is None:
                done.session.end()
        else:
            connection.session, self._resumes = done.session, done.go_on
        return lambda: stream.granted(done.granted)

    async def _resume(self, host: Host, previd: str, h: int) -> Callable[[], list[Event]]:
        stream, connection = self._stream, self._connection
        account = stream.identity.account if stream.identity else None
        try:
            if account is None:
                raise NotResumable(StanzaError("item-not-found"))
            session = await host.resumable.claim(account, previd, h, connection)
        except NotResumable as refused:
            connection.log.info("session not resumed", condition=refused.error.condition)
            error, handled = refused.error, refused.handled
            return lambda: stream.not_resumed(error, handled)
        except StreamError as error:
            fault = error
            return lambda: stream.fail(fault)

        def go_on() -> list[Event]:
            assert session.management is not None
            connection.session = session
            self._resumes = partial(
                attach, session, connection, h, log=connection.log.bind(jid=session.jid.text), secure=self._secure
            )
            return stream.resumed(session.jid, session.management.handled)

        return go_on

    # -- who guesses

    @property
    def _guesses(self) -> bool:
        """Whether so many log-ins have failed from there that no more are tried, be they right."""
        server = self._server
        return server.failed_logins.refused(self._connection.peer, server.clock.monotonic()) > 0

    def _slow_down(self, failed: AuthFailed, rest: list[Event]) -> bool:
        """Note a failed log-in. Where there were many from there it is told late, and what the client sent behind it
        is read late; where there were too many the stream ends. Says whether one or the other is under way."""
        server, peer, log = self._server, self._connection.peer, self._connection.log
        now = server.clock.monotonic()
        if failed.username is None:  # no guess: the client and the mechanism don't fit
            log.info("log-in failed", condition=failed.condition, reason=failed.text)
            return False
        log.warning("log-in failed", user=failed.username, condition=failed.condition, reason=failed.text)
        if failed.condition != "not-authorized":
            return False  # that was no guess
        server.failed_logins.note(peer, now)
        if server.failed_logins.refused(peer, now):
            self._act(self._stream.fail(_too_many_failed()))
            return True
        delay = server.failed_logins.delay(peer, now)
        if delay:
            self._wait()
            server.spawn(self._go_on_later(rest, delay))
        return bool(delay)

    async def _go_on_later(self, events: list[Event], delay: float) -> None:
        await sleep(self._server.clock, delay)
        if not self._connection.over:
            self._go_on()
            self._act(events)


def _make_id(stream_id: str) -> str:
    """Unpredictable, and with the id by which the log knows the stream at its beginning (RFC 6120 §4.7.3)."""
    return f"{stream_id}-{secrets.token_hex(8)}"


def _make_nonce() -> str:
    return secrets.token_urlsafe(24)


def _too_many_failed() -> StreamError:
    return StreamError("policy-violation", "too many failed log-ins; try again later")


def _language(text: str) -> str:
    """A language tag that may be written on every stanza; "" for what is none (RFC 5646 §2.1)."""
    return text if len(text) <= _LONGEST_TAG and text.replace("-", "").isalnum() and text.isascii() else ""
