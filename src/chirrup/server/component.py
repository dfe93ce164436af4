"""External components (XEP-0114): programs that serve a domain of their own through a connection to this server."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.component import ServerHandshake
from chirrup.core.errors import AddressError, StanzaError, StoreError, StreamError
from chirrup.core.framing import farewell
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.stanza import is_stanza
from chirrup.core.stream import unexpected
from chirrup.core.xml import Element
from chirrup.net.clock import Timer
from chirrup.net.connection import Connection
from chirrup.server.logs import stream_log
from chirrup.server.router import bounce, reason_of
from chirrup.server.wire_log import wire_log

if TYPE_CHECKING:
    from chirrup.server.app import Server
    from chirrup.server.config import ComponentConfig
    from chirrup.server.logs import Logger
    from chirrup.server.session import Origin

_MAX_WAITING: Final = 1_000
"""Stanzas that may wait behind one whose handler waits, before the component isn't read any more."""
_FAREWELL: Final = 5.0
"""Seconds that a component has to close its half of the stream after ours."""


class Component:
    """A domain that a component serves: it takes stanzas for it, whether or not the component is there."""

    def __init__(self, server: Server, domain: str, config: ComponentConfig) -> None:
        self.domain = domain
        self.config = config
        self.connection: ComponentConnection | None = None
        self._server = server
        self._waiting: deque[tuple[Element, Origin]] = deque()
        self._timer: Timer | None = None

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
        """Give it to the component. While that is away a stanza waits for a while, and is refused then."""
        if self.connection is not None:
            self.connection.write(stanza.to_bytes())
        elif self._timer is not None and len(self._waiting) < self.config.queue_stanzas:
            self._waiting.append((stanza, origin))
        else:
            _refuse(stanza, origin)

    def admit(self) -> None:
        """Make room for a new connection. StreamError "conflict" where there is one that counts more."""
        if self.connection is not None:
            if self.config.conflict == "refuse":
                raise StreamError("conflict", f"{self.domain} is connected already")
            self.connection.fail(StreamError("conflict", "replaced by a new connection"))

    def connected(self, connection: ComponentConnection) -> None:
        """The component is there: it gets what waited for it."""
        self.connection = connection
        self._stop_waiting()
        self._tell("component_connected")
        for stanza, _ in self._waiting:
            connection.write(stanza.to_bytes())
        self._waiting.clear()

    def disconnected(self, connection: ComponentConnection) -> None:
        """The component is gone; it has a while to come back."""
        if self.connection is connection:
            self.connection = None
            self._tell("component_disconnected")
            if self.config.queue_seconds:
                self._timer = self._server.clock.call_later(self.config.queue_seconds, self.give_up)

    def give_up(self) -> None:
        """Refuse what waits: the component doesn't come back."""
        self._stop_waiting()
        while self._waiting:
            _refuse(*self._waiting.popleft())

    def _tell(self, hook: str) -> None:
        """Tell the modules of every host."""
        jid = JID.parse(self.domain)
        for host in self._server.hosts.values():
            for handler in getattr(host.hooks, hook):
                try:
                    handler(jid)
                except Exception:
                    host.log.exception("a module failed at a component's coming or going", component=self.domain)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _refuse(stanza: Element, origin: Origin) -> None:
    bounce(stanza, origin, StanzaError("remote-server-timeout", "the component that serves this isn't connected"))


class ComponentConnection(Connection):
    """One connection from a component, from accept to close. It is the origin of what comes through it."""

    __slots__ = (
        "_components", "_deadline", "_ending", "_handshake", "_open", "_queue", "_receive", "component", "gone", "log",
        "server",
    )  # fmt: skip

    log: Logger

    def __init__(self, server: Server, components: dict[str, Component], open_: set[ComponentConnection]) -> None:
        limits = server.config.limits
        loop = asyncio.get_running_loop()
        super().__init__(loop, send_buffer_bytes=server.config.listen.component.send_buffer_bytes)
        self.server = server
        self.component: Component | None = None
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the connection is closed."""
        self._components = components
        self._open = open_
        self._ending = False
        self._deadline: Timer | None = None
        self._queue: deque[Element] | None = None  # behind a handler that waits
        self._handshake = ServerHandshake(
            self._secret_of, make_id=partial(secrets.token_hex, 16), limits=Limits(stanza_bytes=limits.stanza_bytes)
        )
        self._receive: Callable[[bytes], None] = self._negotiate

    def _secret_of(self, domain: str) -> str | None:
        component = self._components.get(domain)
        return component.config.secret.get_secret_value() if component else None

    # -- the connection's life

    def opened(self) -> None:
        stream_id = secrets.token_hex(8)
        self.log = stream_log(stream_id, self.peer)
        self.tap = wire_log(stream_id, self.peer)
        self._open.add(self)
        seconds = self.server.config.limits.seconds_before_login
        self._deadline = self.server.clock.call_later(seconds, self._too_slow)

    def received(self, data: bytes) -> None:
        self._receive(data)

    def lost(self, reason: Exception | None) -> None:
        self._open.discard(self)
        self._cancel_deadline()
        self._receive = _ignore
        self._leave()
        if not self.gone.done():
            self.gone.set_result(None)
        self.log.debug("disconnected", reason=str(reason) if reason else "closed")

    def _leave(self) -> None:
        component, self.component = self.component, None
        if component is not None:
            component.disconnected(self)
            self.log.info("component leaves")

    def fail(self, error: StreamError) -> None:
        """End the stream with an error and the connection after it."""
        if self.closing or self._ending:
            return
        log = self.log.debug if error.condition == "system-shutdown" else self.log.warning
        log("stream ended with an error", condition=error.condition, text=error.text, by="us")
        self.write(self._handshake.farewell(error) if self._receive == self._negotiate else farewell(error))
        self._finish(_FAREWELL)

    def overflowed(self) -> None:
        self.log.warning("the component doesn't read", waiting=self.transport.get_write_buffer_size())
        self._leave()
        self.abort()

    def _finish(self, linger: float) -> None:
        self._ending = True
        self._receive = _ignore
        self._cancel_deadline()
        self._leave()
        if linger and not self.closing:
            self.resume_all()
            self._deadline = self.server.clock.call_later(linger, self.close)
        else:
            self.close()

    def _too_slow(self) -> None:
        self.fail(StreamError("connection-timeout", "show the secret sooner"))

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- octets

    def _negotiate(self, data: bytes) -> None:
        handshake = self._handshake
        try:
            if not handshake.receive(data):
                self.write(handshake.take())
                return
            component = self._components[handshake.domain]
            component.admit()
        except StreamError as error:
            self.fail(error)
            return
        self._cancel_deadline()
        self.write(handshake.take())
        self.component = component
        component.connected(self)
        self.log = self.log.bind(component=component.domain)
        self.log.info("component is there")
        self._receive = self._stanzas
        self._handle(handshake.stanzas)

    def _stanzas(self, data: bytes) -> None:
        parser = self._handshake.parser
        try:
            stanzas = parser.feed(data)
        except StreamError as error:
            self._handle(parser.ready)
            self.fail(error)
            return
        self._handle(stanzas)
        if parser.ended and not self._ending:
            self.write(farewell())
            self._finish(0)

    def _handle(self, stanzas: list[Element]) -> None:
        for stanza in stanzas:
            if self._queue is not None:
                self._queue.append(stanza)
                if len(self._queue) >= _MAX_WAITING:
                    self.pause_reading("behind")
            elif (waiting := self._process(stanza)) is not None:
                self._queue = deque()
                self.server.spawn(self._wait(stanza, waiting))

    async def _wait(self, stanza: Element, waiting: Awaitable[None]) -> None:
        """Wait for one stanza's handler, then process what has queued up behind it: order is kept."""
        queue = self._queue
        assert queue is not None
        following: Awaitable[None] | None = waiting
        while following is not None:
            try:
                await following
            except Exception as error:
                self._failed(stanza, error)
            following = None
            while queue and following is None:
                stanza = queue.popleft()
                following = self._process(stanza)
        self._queue = None
        self.resume_reading("behind")

    def _process(self, stanza: Element) -> Awaitable[None] | None:
        component = self.component
        if component is None:
            return None
        try:
            to, sender = self._addresses(component, stanza)
            return self.server.router.route(stanza, to, sender, self)
        except Exception as error:
            self._failed(stanza, error)
            return None

    def _addresses(self, component: Component, stanza: Element) -> tuple[JID, JID]:
        """To whom and from whom. A component speaks for all of its domain, and for nobody else (§3)."""
        if not is_stanza(stanza):
            raise unexpected(stanza)
        try:
            sender = JID.parse(stanza.attrs["from"])
            to = JID.parse(stanza.attrs["to"])
        except KeyError as error:
            raise StreamError("improper-addressing", f"a component's stanza says {error.args[0]!r}") from None
        except AddressError as error:
            raise StreamError("improper-addressing", str(error)) from None
        if sender.domain != component.domain:
            raise StreamError("invalid-from", f"this component is {component.domain}, not {sender.domain}")
        return to, sender

    def _failed(self, stanza: Element, error: Exception) -> None:
        if isinstance(error, StreamError):
            self.fail(error)
        else:
            bounce(stanza, self, reason_of(error, self.log))

    # -- as an origin

    patient = False

    def answer(self, stanza: Element) -> None:
        self.write(stanza.to_bytes())

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        """Nothing acknowledges a component's messages, so nothing is held; but it is told when one couldn't be kept."""

        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                self._failed(stanza, error if isinstance(error, Exception) else StoreError(str(error)))

        stored.add_done_callback(settled)


def _ignore(data: bytes) -> None:
    """After the end nothing counts but the peer's own end, which closes the connection."""
