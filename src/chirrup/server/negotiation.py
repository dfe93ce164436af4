"""The way of a client's connection to its session: TLS, log-in and binding, as `core.stream` asks for them."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from chirrup.core.errors import LocalProtocolError, StoreError, StreamError
from chirrup.core.parser import Limits
from chirrup.core.stream import (
    Authenticated,
    AuthFailed,
    Closed,
    Event,
    Failed,
    Opened,
    Ready,
    Security,
    ServerStream,
    StartTLS,
)
from chirrup.net.clock import sleep
from chirrup.net.tls import accounts_of, certificate_for, channel_bindings
from chirrup.server.answers import QUESTIONS, Answers, too_many_failed

if TYPE_CHECKING:
    from chirrup.server.c2s import ClientConnection
    from chirrup.server.host import Host
    from chirrup.server.listen import Listeners

_HANDSHAKE: Final = 20.0
"""Seconds that a TLS handshake may take."""


class Negotiation:
    """Does what one stream asks for until it is ready; the connection holds it until then, or until it is gone."""

    __slots__ = (
        "_answers", "_asked", "_before_login", "_connection", "_direct_tls", "_early", "_host", "_in_handshake",
        "_listeners", "_secure", "_server", "_stream",
    )  # fmt: skip

    def __init__(
        self, connection: ClientConnection, listeners: Listeners, *, direct_tls: bool, plaintext: bool
    ) -> None:
        """`direct_tls` says that TLS comes before the stream, `plaintext` that there may be none at all."""
        self._connection = connection
        self._server = connection.server
        self._listeners = listeners
        self._direct_tls = direct_tls
        limits = self._server.config.limits
        self._before_login = limits.bytes_before_login
        self._stream = ServerStream(
            make_id=partial(_make_id, connection.stream_id),
            make_nonce=_make_nonce,
            limits=Limits(stanza_bytes=limits.stanza_bytes_before_login),
            default_host=next(iter(self._server.hosts)),
        )
        self._answers = Answers(connection, self._stream, plaintext=plaintext)
        self._host: Host | None = None
        self._secure = False
        self._in_handshake = False
        self._early: list[bytes] = []
        self._asked = False  # a question of the stream's is being answered

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
            if isinstance(event, AuthFailed):
                self._answers.failed()
                if self._slow_down(event, events[position:]):
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
            case _ if isinstance(event, QUESTIONS):
                self._wait()
                self._send_out()
                self._server.spawn(self._answer(event))
            case Authenticated(username=username, mechanism=mechanism):
                connection.log = connection.log.bind(user=username or "anonymous")
                connection.log.info("authenticated", mechanism=mechanism, secure=self._secure)
            case Ready():
                self._send_out()
                connection.ready(self._stream.parser, self._stream.leftover, self._answers.begin)
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
        if event.sender is not None and event.sender.domain != host.jid.domain:  # XEP-0388 §2.1
            self._act(self._stream.fail(StreamError("invalid-from", f"only those of {host.name} log in here")))
        elif self._answers.needs_account(host, event.sender):
            self._wait()
            self._server.spawn(self._answer(event))
        else:
            self._act(self._stream.accept(self._answers.policy(host)))

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
        security = Security(channel_bindings(tls, certificate_for(tls)), identities=accounts_of(tls))
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
            tell = await self._answers.find(host, event)
        except Exception as error:
            if isinstance(error, StoreError):
                connection.log.info("negotiation failed", reason=str(error))  # the store has told once
            else:
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

    # -- who guesses

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
            self._act(self._stream.fail(too_many_failed()))
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
