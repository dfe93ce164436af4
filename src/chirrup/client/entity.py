"""What clients and components share above their connection: features, handlers, sending, and asking."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeVar, overload

from chirrup.client.dispatch import Dispatcher
from chirrup.client.feature import Answer, F, Feature, Identity, Request
from chirrup.client.feed import Feed
from chirrup.client.life import TIMEOUT
from chirrup.client.link import Link
from chirrup.client.session import KEEPALIVE, PING, Session
from chirrup.client.stanzas import IQ, Message, Presence, Stanza
from chirrup.client.states import ConnectionState
from chirrup.core.errors import Disconnected, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, Element
from chirrup.net.clock import Clock
from chirrup.net.deadline import Deadline

log: Final = logging.getLogger("chirrup.client")

P = TypeVar("P", bound=Payload)
R = TypeVar("R", bound=Payload)
MessageFunction = TypeVar("MessageFunction", bound=Callable[[Message], Any])
PresenceFunction = TypeVar("PresenceFunction", bound=Callable[[Presence], Any])


class Entity(Session):
    """A client or a component."""

    def __init__(
        self,
        jid: JID,
        *,
        reconnect: bool = True,
        timeout: float = TIMEOUT,
        keepalive: float = KEEPALIVE,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(jid, reconnect=reconnect, timeout=timeout, keepalive=keepalive, clock=clock)
        self.identity = Identity("client", "bot", "Chirrup")
        """What the program is, besides what features say; see the registry of XEP-0030 §3.1."""
        self._dispatcher = Dispatcher(self)
        self._dispatcher.workers.drained = self._pace

    def reply_from(self, message: Message) -> str | None:
        """The address from which an answer to a message comes; None for the own one."""
        return None

    # -- features

    def need(self, feature: type[F]) -> F:
        """The feature of that type, switched on if it wasn't. While the entity is online a new one prepares in the
        background."""
        found = self._features.get(feature)
        if found is None:
            made = feature(self)
            self._dispatcher.add_feature(made)
            found = self._features[feature] = made
            if self.state is ConnectionState.ONLINE:
                self.spawn(self._start_late(made))
        assert isinstance(found, feature)
        return found

    def find(self, feature: type[F]) -> F | None:
        """The feature of that type, if it is switched on."""
        found = self._features.get(feature)
        assert found is None or isinstance(found, feature)
        return found

    async def _start_late(self, feature: Feature) -> None:
        await feature.session_bound()
        await feature.session_ready()
        if feature.features or feature.identities:
            for other in self.features:
                other.features_changed()

    # -- handlers

    def on_message(self, handler: MessageFunction) -> MessageFunction:
        """Call this, which may be async, with each message that has a text and isn't an error. A decorator, too."""
        self._dispatcher.on("text", handler)
        return handler

    def on_presence(self, handler: PresenceFunction) -> PresenceFunction:
        """Call this, which may be async, with all presence. A decorator, too."""
        self._dispatcher.on("presence", handler)
        return handler

    def on_payload(self, payload: type[P]) -> Callable[[Callable[[Message, P], Any]], Callable[[Message, P], Any]]:
        """A decorator for what is called with each message that has such a payload, and the payload."""

        def decorate(handler: Callable[[Message, P], Any]) -> Callable[[Message, P], Any]:
            self._dispatcher.on("message", handler, payload)
            return handler

        return decorate

    def on_request(
        self,
        payload: type[P],
        type: Literal["get", "set"] = "get",  # noqa: A002
    ) -> Callable[[Callable[[Request[P]], Answer | Awaitable[Answer]]], Callable[[Request[P]], Any]]:
        """A decorator for what answers requests with such a payload, as a feature's `iq_get` and `iq_set` do."""

        def decorate(handler: Callable[[Request[P]], Any]) -> Callable[[Request[P]], Any]:
            self._dispatcher.on(type, handler, payload)
            return handler

        return decorate

    def remove(self, handler: Callable[..., Any]) -> None:
        """Call this handler no more."""
        self._dispatcher.remove(handler)

    def messages(self, wants: Callable[[Message], bool] | None = None) -> Feed[Message]:
        """The messages that come from now on, one by one: those that have a text and are no errors, or those that
        `wants` says yes to."""
        return self._messages.open(wants or _has_text)

    def presences(self, wants: Callable[[Presence], bool] | None = None) -> Feed[Presence]:
        """The same for presence."""
        return self._presences.open(wants)

    # -- sending

    def deadline(self, step: str, timeout: float | None = None) -> Deadline:
        """`async with` this, what takes longer than `timeout` seconds, by default the client's, ends in DeadlineError,
        which says at which step."""
        return Deadline(self.clock, self.timeout if timeout is None else timeout, step)

    async def send(self, stanza: Stanza | Element) -> None:
        """Send a stanza, as soon as there is a connection and room.

        Returns when it is on its way; `settle` waits until the server has processed it. Raises DeadlineError after
        `timeout` seconds without room, Disconnected, and LocalProtocolError for what can't be sent at all."""
        link = self._link
        if link is None or not link.has_room:
            link = await self._room()
        if isinstance(stanza, Stanza):
            element = stanza.element
            if type(stanza) is Message:
                for message_out in self._dispatcher.message_out:
                    message_out(stanza)
            elif type(stanza) is Presence:
                for presence_out in self._dispatcher.presence_out:
                    presence_out(stanza)
        else:
            element = stanza
        if "id" not in element.attrs and element.name != "presence":
            element.attrs["id"] = self.make_id()
        self._write(link, element)

    async def send_nonza(self, element: Element) -> None:
        """Send a first-level element that is no stanza (XEP-0360): it isn't counted, nor sent again when it is lost
        with the connection. Raises as `send` does."""
        link = await self._room()
        link.write(element.to_bytes())

    async def _room(self) -> Link:
        """The connection, when there is one and it has room."""
        step = "waiting for room to send" if self._link is not None else "waiting for the connection"
        async with self.deadline(step):
            while True:
                link = self._link
                if link is not None and link.has_room:
                    return link
                if self._parting:
                    raise Disconnected("the connection is being closed")
                if self.state is ConnectionState.OFFLINE:
                    raise Disconnected(f"not connected: {self.change.reason or 'nobody has connected'}")
                if link is None and self.state is ConnectionState.STARTING:
                    raise Disconnected("the connection was lost while the session was set up")
                if link is None:
                    await self._changed()
                else:
                    try:
                        await link.room()
                    except Disconnected:
                        if self._link is link:
                            raise

    async def settle(self, timeout: float | None = None) -> None:
        """Return when the server has processed all that was sent up to now; with stream management, when it has
        acknowledged it, too."""
        try:
            await self.request(PING, to=self.jid.host, result=None, timeout=timeout)
        except StanzaError as error:
            log.debug("the server doesn't know pings: %s", error)  # but has answered
        if self._managed is not None:
            async with self.deadline("waiting for the server's acknowledgement", timeout):
                await self._managed.settled()

    # -- asking

    @overload
    async def request(self, payload: P, *, to: JID | str | None = None, timeout: float | None = None) -> P: ...
    @overload
    async def request(
        self,
        payload: Payload | Element,
        *,
        to: JID | str | None = None,
        type: Literal["get", "set"] = "get",
        result: type[R],
        timeout: float | None = None,
    ) -> R: ...
    @overload
    async def request(
        self,
        payload: Payload | Element,
        *,
        to: JID | str | None = None,
        type: Literal["get", "set"] = "get",
        result: None,
        timeout: float | None = None,
    ) -> IQ: ...
    @overload
    async def request(
        self,
        payload: Payload | Element,
        *,
        to: JID | str | None = None,
        type: Literal["set"],
        timeout: float | None = None,
    ) -> IQ: ...
    @overload
    async def request(self, payload: Element, *, to: JID | str | None = None, timeout: float | None = None) -> IQ: ...
    async def request(
        self,
        payload: Payload | Element,
        *,
        to: JID | str | None = None,
        type: Literal["get", "set"] = "get",  # noqa: A002
        result: Any = ...,
        timeout: float | None = None,
    ) -> Any:
        """Ask somebody, by default the own account's server, and wait for the answer.

        The answer is given as a payload of the class `result`, or as the `IQ` that it came in where that is None. Left
        out, it is the class of the question for a get, and None for a set.

        Raises StanzaError if that is the answer, DeadlineError, Disconnected, or PayloadError for an answer that isn't
        what was asked for. Only who was asked can answer."""
        if result is ...:
            result = payload.__class__ if type == "get" and isinstance(payload, Payload) else None
        address = JID.parse(to) if isinstance(to, str) else to
        element = payload.to_element() if isinstance(payload, Payload) else payload
        iq = Element("iq", CLIENT, element)
        iq.attrs["type"] = type
        iq.attrs["id"] = id_ = self.make_id()
        if address is not None:
            iq.attrs["to"] = address.text
        answer = self._requests.expect(id_, address)
        step = f"waiting for the answer to <{element.name} xmlns='{element.ns}'/> from {address or 'the server'}"
        try:
            self._pace()
            async with self.deadline(step, timeout):
                await self.send(iq)
                came = await answer
        finally:
            self._requests.forget(id_)
        if result is not None:
            first = came.first
            if first is None:
                raise PayloadError(f"the answer to <{element.name}/> is empty")
            return result.parse(first)
        return IQ.received(came, address or self.jid.bare, self)


def _has_text(message: Message) -> bool:
    element = message.element
    return element.attrs.get("type") != "error" and element.child("body", CLIENT) is not None
