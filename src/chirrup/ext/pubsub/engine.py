"""What all the work on services needs: writing to the store, and telling those who want to know."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element, Received
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.pubsub import EVENT
from chirrup.ext.pubsub.config import NodeConfig
from chirrup.ext.pubsub.event_payloads import Address, Addresses
from chirrup.ext.pubsub.service import Node, Service
from chirrup.server.module import Settings

if TYPE_CHECKING:
    from chirrup.server.host import Host
    from chirrup.store.pubsub import PubSubRows, StoredItem

T = TypeVar("T")

Kind = Literal["publish", "retract", "purge", "delete"]


class Limits(Settings):
    """What one service may hold, and what one request may ask of it."""

    max_nodes: int = Field(default=200, ge=1)
    """Nodes of one account."""
    max_items: int = Field(default=2000, ge=1)
    """Items of one node: what "max" stands for in its configuration."""
    max_item_bytes: int = Field(default=200_000, ge=100, le=250_000)
    """Bytes of one item's payload."""
    max_bytes: int = Field(default=10_000_000, ge=1000)
    """Bytes of the payloads of all items of one account; each item counts 500 more."""
    max_subscribers: int = Field(default=500, ge=0)
    """Subscriptions and affiliations of one node, each; contacts who are told because they share presence don't
    count."""
    max_involved: int = Field(default=5000, ge=0)
    """Subscriptions and affiliations of all nodes of one account together."""
    max_answer_bytes: int = Field(default=1_000_000, ge=1000)
    """Bytes of payloads in one answer; the rest is for further pages."""


@record
class Change:
    """Something that has happened to a node, and is durable."""

    service: Service
    node: str
    kind: Kind
    item: str = ""
    payload: Element | None = None
    by_server: bool = False
    """Whether the server did it by itself, and nobody asked for it."""


Maker = Callable[[Service], Awaitable[None]]
News = tuple[JID, str, str]
"""Whose node, its name, and the item that was retracted; "" where the last item is another one, or there is none."""
Observer = Callable[[Change], Awaitable[None] | None]

_ID_BYTES: Final = 12


class Engine:
    """One for all services of a host."""

    def __init__(self, host: Host, limits: Limits) -> None:
        self.host = host
        self.store = host.store
        self.limits = limits
        self._observers: dict[str, list[Observer]] = {}
        self._defaults: dict[str, dict[str, Any]] = {}
        self._makers: dict[str, Maker] = {}
        self._serving: dict[JID, list[set[News]]] = {}
        """The clients that are being sent last items, and of what each has been told since that began."""

    # -- how nodes begin

    def make_with(self, node: str, maker: Maker) -> None:
        """Have `maker` called before an owner uses a node of that name that isn't there: it may make it."""
        self._makers[node] = maker

    async def prepare(self, service: Service, node: str) -> None:
        """Let the node of that name be made, if it isn't there and somebody wants to make it."""
        if node in self._makers and node not in service.nodes:
            await self._makers[node](service)

    def set_default(self, node: str, values: dict[str, Any]) -> None:
        """Have nodes of that name begin with these values of `NodeConfig`, where whoever makes one doesn't say
        otherwise."""
        self._defaults[node] = values

    def default(self, service: Service, node: str) -> NodeConfig:
        """How a node of that name is configured from the start."""
        return service.default.with_values(self._defaults.get(node, {}))

    # -- the store

    async def write(self, service: Service, op: Callable[[PubSubRows], T], *, size: int = 0) -> T:
        """Run an operation on the service's rows; durable when this returns.

        What it is about has been changed in memory already. If it fails, memory becomes again what the store has, as
        soon as no other write of the service is underway."""
        if service.closed:
            raise StanzaError("item-not-found", "the account is being removed")
        rows = self.store.pubsub.within
        service.begun += 1
        service.writing += 1
        try:
            return await self.store.submit(lambda connection: op(rows(connection)), size=size)
        except Exception:
            service.stale = True
            raise
        finally:
            service.writing -= 1
            if service.stale and not service.writing:
                await self._reload(service)

    async def _reload(self, service: Service) -> None:
        begun = service.begun
        nodes = await self.store.pubsub.nodes(service.jid.text)
        if service.begun == begun:  # else who began in the meantime reloads, or has done so
            service.load(nodes)
            service.stale = False

    async def read(self, op: Callable[[PubSubRows], T]) -> T:
        rows = self.store.pubsub.within
        return await self.store.read(lambda connection: op(rows(connection)))

    def now(self) -> float:
        return self.host.clock.time()

    def oldest(self, node: Node) -> float | None:
        """When the oldest item was published, at the earliest, that hasn't expired; None where none does."""
        expire = node.config.item_expire
        return None if expire is None else self.now() - expire

    # -- who is told

    def observe(self, node: str, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with every change of nodes of that name, before whoever made it is answered; what is
        returned ends that."""
        self._observers.setdefault(node, []).append(observer)
        return lambda: self._observers[node].remove(observer)

    async def changed(self, change: Change) -> None:
        for observer in self._observers.get(change.node, ()):
            waiting = observer(change)
            if inspect.isawaitable(waiting):
                await waiting

    def notify(
        self,
        service: Service,
        node: Node,
        content: Element,
        *,
        publisher: JID | None = None,
        outdated: str | None = None,
        but: Collection[JID] = (),
    ) -> None:
        """Tell everybody who is to be told of what happens to a node, `but` those who know it.

        `publisher` is told to those who are subscribed to the owner's presence only (XEP-0163 §4.3.1). `outdated` is
        the item that nobody is sent as the last one any more, "" for any that there was."""
        if not node.config.deliver_notifications:
            return
        written: dict[bool, Element] = {}
        for to, trusted in service.audience(node):
            if to in but:
                continue
            if trusted not in written:
                written[trusted] = _message(service, node, content, publisher if trusted else None, None)
            self.host.send(written[trusted].copy().set("to", to.text))
            if outdated is not None:
                for told in self._serving.get(to, ()):
                    told.add((service.jid, node.name, outdated))

    def send(self, service: Service, node: Node, to: JID, content: Element) -> None:
        """Send one notification."""
        self.host.send(_message(service, node, content, None, None).set("to", to.text))

    # -- last items

    @contextmanager
    def serving(self, client: JID) -> Iterator[set[News]]:
        """While a client is sent last items: of what it is told in the meantime, which may be newer than what was read
        from the store."""
        told: set[News] = set()
        self._serving.setdefault(client, []).append(told)
        try:
            yield told
        finally:
            remaining = [one for one in self._serving[client] if one is not told]
            if remaining:
                self._serving[client] = remaining
            else:
                del self._serving[client]

    def send_last(
        self, service: Service, node: Node, to: JID, stored: StoredItem, told: AbstractSet[News], *, trusted: bool
    ) -> None:
        """Send what the store had as the last item, unless `to` has been told of newer things, or the item has expired.
        It is noted for whoever is about to tell of that item."""
        oldest = self.oldest(node)
        if (
            service.nodes.get(node.name) is not node
            or not told.isdisjoint(((service.jid, node.name, ""), (service.jid, node.name, stored.item)))
            or (oldest is not None and stored.stamp < oldest)
        ):
            return
        publisher = JID.parse(stored.publisher)
        content = published(node, stored.item, publisher.bare.text, stored.payload)
        message = _message(service, node, content, publisher if trusted else None, stored.stamp)
        self.host.send(message.set("to", to.text))
        if (got := node.underway.get((stored.item, stored.stamp))) is not None:
            got.add(to)

    async def send_last_to(self, service: Service, node: Node, to: Iterable[tuple[JID, bool]]) -> None:
        """Send some who are new to a node its last item, each with whether they see the owner's presence."""
        with ExitStack() as stack:
            clients = [(jid, trusted, stack.enter_context(self.serving(jid))) for jid, trusted in to]
            for stored in await self.store.pubsub.newest(service.jid.text, node.name, 1) if clients else ():
                for jid, trusted, told in clients:
                    self.send_last(service, node, jid, stored, told, trusted=trusted)


def _message(service: Service, node: Node, content: Element, publisher: JID | None, stamp: float | None) -> Element:
    """A notification that lacks only its `to`: what is in it is written once, however many receive it."""
    message = Element("message", CLIENT, Element("event", EVENT, content), from_=service.jid)
    if node.config.notification_type != "normal":
        message.set("type", node.config.notification_type)
    message.set("id", secrets.token_urlsafe(_ID_BYTES))
    if publisher is not None and publisher.resource and publisher.bare == service.jid:
        message.append(Addresses((Address("replyto", publisher),)).to_element())
    if stamp is not None:
        message.append(Delay(datetime.fromtimestamp(int(stamp), UTC)).to_element())
    return Received(message, b"".join(child.to_bytes() for child in message.elements()))


def published(node: Node, item: str, publisher: str, payload: Element | str | None) -> Element:
    """What subscribers are told of an item."""
    told = Element("item", EVENT, id=item or None)
    if node.config.itemreply == "publisher":
        told.set("publisher", publisher)
    if node.config.deliver_payloads and payload:
        told.append(parse_element(payload) if isinstance(payload, str) else payload)
    return Element("items", EVENT, told, node=node.name)


def retracted(node: Node, item: str) -> Element:
    return Element("items", EVENT, Element("retract", EVENT, id=item), node=node.name)
