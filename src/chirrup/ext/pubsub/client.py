"""A client's way to publish-subscribe (XEP-0060) and to what accounts tell of themselves (XEP-0163)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar, overload

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message
from chirrup.client.feed import Feed, Feeds
from chirrup.client.stanzas import Message
from chirrup.client.states import ConnectionState
from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form, Value
from chirrup.ext.pubsub import NODE_CONFIG, NOTIFY, PUBLISH_OPTIONS
from chirrup.ext.pubsub import owner_payloads as owner
from chirrup.ext.pubsub.event_payloads import Event as EventPayload
from chirrup.ext.pubsub.events import Event, Kind, Published, events_of, read
from chirrup.ext.pubsub.payloads import (
    Affiliations,
    Configure,
    Create,
    Item,
    Items,
    Publish,
    PublishOptions,
    PubSub,
    Retract,
    Subscribe,
    Subscription,
    Subscriptions,
    Unsubscribe,
)
from chirrup.ext.rsm.payloads import Set

K = TypeVar("K", bound=Payload | Element)
P = TypeVar("P", bound=Payload)

Config = Mapping[str, Value | Iterable[Value]]
"""Fields of a configuration; "pubsub#" in front of their names may be left out."""
CURRENT: Final = "current"
"""The id of the item of nodes that have one (XEP-0060 §12.20)."""
PRIVATE: Final[Config] = {
    "persist_items": True,
    "max_items": "max",
    "send_last_published_item": "never",
    "access_model": "whitelist",
}
"""Publishing options of a node where an account keeps things for itself (XEP-0223, XEP-0402 §3)."""
MOST_WAITING: Final = 1_000
"""Events that wait for a reader; of more, the oldest are forgotten."""


class Node(Generic[K]):
    """A node, and of which class the payloads of its items are. Made by `Pubsub.node` and `Pubsub.personal`.

    Its methods raise StanzaError where the service refuses. Items whose payload is of another kind are left out."""

    def __init__(self, pubsub: Pubsub, name: str, kind: Kind[K], service: JID | None) -> None:
        self._pubsub = pubsub
        self.name = name
        self.kind = kind
        self.service = service
        """Whose node it is: None is the own account."""

    def __repr__(self) -> str:
        return f"<Node {self.name} of {self.service or 'the own account'}>"

    async def _ask(self, request: PubSub, *, set_: bool = False) -> PubSub:
        kind = "set" if set_ else "get"
        iq = await self._pubsub.entity.request(request, to=self.service, type=kind, result=None)  # type: ignore[call-overload]
        return PubSub() if iq.payload is None else PubSub.parse(iq.payload)

    async def _own(self, request: owner.OwnerPubSub, *, set_: bool = False) -> owner.OwnerPubSub:
        kind = "set" if set_ else "get"
        iq = await self._pubsub.entity.request(request, to=self.service, type=kind, result=None)  # type: ignore[call-overload]
        return owner.OwnerPubSub() if iq.payload is None else owner.OwnerPubSub.parse(iq.payload)

    # -- items

    async def publish(self, payload: K, id: str | None = None, *, options: Config | None = None) -> str:  # noqa: A002
        """Publish an item, in place of one with the same id if there is one; the id, which the service thinks of
        where there is none. `options` is the configuration that the node must have, or is made with (§7.1.5)."""
        element = payload.to_element() if isinstance(payload, Payload) else payload
        conditions = None if options is None else PublishOptions(_form(PUBLISH_OPTIONS, options))
        publish = Publish(self.name, (Item(id, None, (element,)),))
        answer = await self._ask(PubSub(publish=publish, publish_options=conditions), set_=True)
        items = answer.publish.items if answer.publish is not None else ()
        return (items[0].id if items else None) or id or ""

    async def retract(self, id: str, *, notify: bool = True) -> None:  # noqa: A002
        """Delete an item."""
        await self._ask(PubSub(retract=Retract(self.name, notify, (Item(id),))), set_=True)

    async def items(self, *ids: str, most: int | None = None) -> list[Published[K]]:
        """The items with these ids, or the `most` last ones, or as many as the service gives at once."""
        return (await self._items(Items(self.name, most, None, tuple([Item(id_) for id_ in ids])), None))[0]

    async def all(self, *, limit: int = 50) -> AsyncIterator[Published[K]]:
        """All items, asked for `limit` at a time, in the service's order."""
        after: str | None = None
        while True:
            found, page = await self._items(Items(self.name), Set(max=limit, after=after))
            for one in found:
                yield one
            if page is None or page.last is None or page.last == after:
                return
            after = page.last

    async def last(self) -> Published[K] | None:
        """The item that was published last; None if there is none, or no such node."""
        try:
            found = await self.items(most=1)
        except StanzaError as error:
            if error.condition == "item-not-found":
                return None
            raise
        return found[-1] if found else None

    async def _items(self, items: Items, page: Set | None) -> tuple[list[Published[K]], Set | None]:
        answer = await self._ask(PubSub(items=items, set=page))
        sender = self.service or self._pubsub.entity.jid.bare
        found = answer.items.items if answer.items is not None else ()
        read_ = [read(self.kind, item.payloads, item.id, item.publisher, sender, self.name) for item in found]
        return [one for one in read_ if one is not None], answer.set

    # -- events

    def events(self) -> Feed[Event[K]]:
        """What happens to it from now on. At an account nothing has to be subscribed to: that is asked for along with
        the own presence; at other services it is `subscribe`."""
        if self.service is None or self.service.local:
            self._pubsub.want(self.name)
        whose = self.service
        own = self._pubsub.entity.is_own
        return self._pubsub.open(
            self.name, self.kind, lambda event: own(event.sender) if whose is None else event.sender == whose
        )

    async def subscribe(self, jid: JID | str | None = None) -> Subscription:
        """Subscribe, by default with the bare own address; "pending" until an owner agrees."""
        answer = await self._ask(PubSub(subscribe=Subscribe(self._self(jid), self.name)), set_=True)
        return answer.subscription or Subscription(self._self(jid), self.name, "subscribed")

    async def unsubscribe(self, jid: JID | str | None = None, *, subid: str | None = None) -> None:
        await self._ask(PubSub(unsubscribe=Unsubscribe(self._self(jid), self.name, subid)), set_=True)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """The own ones."""
        answer = await self._ask(PubSub(subscriptions=Subscriptions(self.name)))
        return answer.subscriptions.subscriptions if answer.subscriptions is not None else ()

    def _self(self, jid: JID | str | None) -> JID:
        return self._pubsub.entity.jid.bare if jid is None else JID.parse(jid) if isinstance(jid, str) else jid

    # -- for its owner

    async def create(self, config: Config | None = None) -> None:
        """Make it: "conflict" if it is there."""
        configure = None if config is None else Configure(form=_form(NODE_CONFIG, config))
        await self._ask(PubSub(create=Create(self.name), configure=configure), set_=True)

    async def configuration(self) -> Form:
        """How it is configured, as the form that the service shows."""
        answer = await self._own(owner.OwnerPubSub(configure=owner.Configure(self.name)))
        if answer.configure is None or answer.configure.form is None:
            raise PayloadError("the answer has no configuration in it")
        return answer.configure.form

    async def configure(self, config: Config) -> None:
        """Change these fields of the configuration."""
        form = _form(NODE_CONFIG, config)
        await self._own(owner.OwnerPubSub(configure=owner.Configure(self.name, form)), set_=True)

    async def delete(self) -> None:
        await self._own(owner.OwnerPubSub(delete=owner.Delete(self.name)), set_=True)

    async def purge(self) -> None:
        """Delete all items."""
        await self._own(owner.OwnerPubSub(purge=owner.Purge(self.name)), set_=True)

    async def affiliations(self) -> dict[JID, str]:
        """Who may do what: owner, publisher, publish-only, member or outcast."""
        answer = await self._own(owner.OwnerPubSub(affiliations=owner.Affiliations(self.name)))
        found = answer.affiliations.affiliations if answer.affiliations is not None else ()
        return {one.jid: one.affiliation for one in found if one.affiliation is not None}

    async def set_affiliations(self, affiliations: Mapping[JID | str, str]) -> None:
        """Change those of some people; "none" takes one away."""
        changes = tuple([owner.Affiliation(_jid(jid), what) for jid, what in affiliations.items()])
        await self._own(owner.OwnerPubSub(affiliations=owner.Affiliations(self.name, changes)), set_=True)

    async def subscribers(self) -> tuple[owner.Subscription, ...]:
        """Everybody's subscriptions."""
        answer = await self._own(owner.OwnerPubSub(subscriptions=owner.Subscriptions(self.name)))
        return answer.subscriptions.subscriptions if answer.subscriptions is not None else ()


class Pubsub(Feature):
    """Nodes of publish-subscribe services, and of accounts.

    tunes = client.need(Pubsub).personal(Tune)
    await tunes.publish(Tune(artist="Yes", title="Heart of the Sunrise"))
    async for event in client.need(Pubsub).events(Tune): …
    """

    xeps = ((60, "1.30.0", ""), (163, "1.2.2", ""), (335, "0.1.1", ""))

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._feeds: dict[str, list[tuple[Kind[Any], Feeds[Event[Any]]]]] = {}

    @overload
    def node(self, name: str, *, at: JID | str | None = None) -> Node[Element]: ...
    @overload
    def node(self, name: str, kind: type[P], *, at: JID | str | None = None) -> Node[P]: ...
    def node(self, name: str, kind: Any = Element, *, at: JID | str | None = None) -> Any:
        """A node of a service, or of an account (the own one if it isn't said); it needn't exist yet."""
        return Node(self, name, kind, None if at is None else _jid(at))

    def personal(self, kind: type[P], *, at: JID | str | None = None) -> Node[P]:
        """The node of an account that has the namespace of its payloads as its name, as those of tunes, moods,
        activities, locations and nicknames have."""
        return self.node(kind.NS, kind, at=at)

    async def affiliations(self, at: JID | str | None = None) -> dict[str, str]:
        """What one may do at which node of a service."""
        answer = await self.entity.request(PubSub(affiliations=Affiliations()), to=at)
        found = answer.affiliations.affiliations if answer.affiliations is not None else ()
        return {one.node: one.affiliation for one in found}

    # -- events

    def want(self, name: str) -> None:
        """Ask to be told by accounts whose presence is seen what happens to their nodes of that name."""
        feature = name + NOTIFY
        if feature not in self.features:
            self.features = (*self.features, feature)
            if self.entity.state is ConnectionState.ONLINE:
                for other in self.entity.features:
                    other.features_changed()

    @overload
    def events(self, kind: type[P], *, name: str = "") -> Feed[Event[P]]: ...
    @overload
    def events(self, kind: type[Element] = Element, *, name: str) -> Feed[Event[Element]]: ...
    def events(self, kind: Any = Element, *, name: str = "") -> Any:
        """What all accounts whose presence is seen tell of themselves, from now on, in nodes of that name; by default
        that is the namespace of the payloads. Anybody may send such a message: `event.sender` says who did."""
        node = name or kind.NS
        self.want(node)
        return self.open(node, kind, None)

    def open(self, name: str, kind: Kind[K], wants: Callable[[Event[K]], bool] | None) -> Feed[Event[K]]:
        """A feed of what comes from nodes of that name."""
        kinds = self._feeds.setdefault(name, [])
        feeds: Feeds[Event[K]] | None = next((feeds for one, feeds in kinds if one is kind), None)
        if feeds is None:
            feeds = Feeds()
            kinds.append((kind, feeds))
        return feeds.open(wants, most=MOST_WAITING)

    @on_message(EventPayload)
    def came(self, message: Message, event: EventPayload) -> None:
        if message.outgoing:
            return
        for name, kinds in self._feeds.items():
            for kind, feeds in kinds:
                if feeds:
                    for one in events_of(event, name, kind, message.sender):
                        feeds.put(one)


def _form(about: str, config: Config) -> Form:
    values = {name if name.startswith("pubsub#") else f"pubsub#{name}": value for name, value in config.items()}
    return Form.of("submit", about, values)


def _jid(jid: JID | str) -> JID:
    return JID.parse(jid) if isinstance(jid, str) else jid
