"""Personal eventing: each account of a host as a publish-subscribe service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.caps.known import shows_nothing
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.disco.payloads import Info, Item, Items
from chirrup.ext.disco.server import Disco
from chirrup.ext.forms import NS as FORMS
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import AUTHORIZATION, NODE_CONFIG, NS, owning, publishing, reading, subscribing
from chirrup.ext.pubsub.discovery import FEATURES, node_info
from chirrup.ext.pubsub.engine import Engine, Limits, Observer
from chirrup.ext.pubsub.errors import refusal, unsupported
from chirrup.ext.pubsub.last import LastItems
from chirrup.ext.pubsub.owner_payloads import Configure, OwnerPubSub
from chirrup.ext.pubsub.payloads import PubSub
from chirrup.ext.pubsub.personal import PersonalService
from chirrup.ext.pubsub.service import Service, presence_needed
from chirrup.ext.roster.payloads import Query
from chirrup.ext.roster.server import Rosters
from chirrup.server import hooks
from chirrup.server.module import (
    Account,
    Addressee,
    Identity,
    Module,
    Request,
    Session,
    Xep,
    iq_get,
    iq_set,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.ext.pubsub.config import NodeConfig
    from chirrup.server.host import Host
    from chirrup.store.pubsub import StoredItem, StoredNode

_ACCOUNTS: Final = (Addressee.OWN, Addressee.ACCOUNT)

T = TypeVar("T")


class PersonalEventing(Module):
    """Lets accounts publish what others may hear of, and keep what only they may read."""

    needs = ("roster", "caps")
    xeps = (
        Xep(60, "1.30.0", "at accounts; without options and leases of subscriptions, and without collections"),
        Xep(163, "1.2.2"),
        Xep(222, "1.0"),
        Xep(223, "1.1.1"),
    )
    features = (f"{NS}#publish-options",)
    identities = (Identity("pubsub", "pep"),)  # older clients ask the host for both (XEP-0222 §5, XEP-0223 §5)
    account_features = FEATURES
    account_identities = identities
    needs_accounts = True
    Settings = Limits
    settings: Limits

    def __init__(self, host: Host, settings: Limits) -> None:
        super().__init__(host, settings)
        self.engine = Engine(host, self.settings)
        self._also: list[tuple[Callable[[Connection, str], Any], Callable[[Account, Any], None]]] = []

    async def start(self) -> None:
        self.need(Rosters)
        self._caps = self.need(Capabilities)
        self._last = LastItems(self.engine, self._caps)
        self._caps.watch(self._last.known)
        self._caps.want(_has_something_for)
        disco = self.host.find_module(Disco)
        if disco is not None:
            disco.add_nodes(Addressee.ACCOUNT, self._node_info, self._node_items)

    # -- for other modules

    def observe(self, node: str, observer: Observer) -> Callable[[], None]:
        """Have `observer` called with every `Change` of accounts' nodes of that name, once it is durable and before its
        maker is answered; what is returned ends that."""
        return self.engine.observe(node, observer)

    def also_load(self, op: Callable[[Connection, str], T], take: Callable[[Account, T], None]) -> None:
        """Read something else when an account comes into memory, in the same query of the store: `op` is given the
        connection and the account's bare JID, and `take` the account and what `op` has returned."""
        self._also.append((op, take))

    def make_with(self, node: str, maker: Callable[[Account], Awaitable[None]]) -> None:
        """Have `maker` called before an account's client uses a node of that name that isn't there: it may make it."""

        async def make(service: Service) -> None:
            if isinstance(service, PersonalService):
                await maker(service.account)

        self.engine.make_with(node, make)

    def set_default(self, node: str, **values: Any) -> None:
        """Have nodes of that name begin with these values of `NodeConfig`, where clients don't say otherwise."""
        self.engine.set_default(node, values)

    async def publish(
        self, account: Account, node: str, payload: Element, item: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """Publish an item in an account's name; its id. `config` has values of `NodeConfig` for a node that isn't there
        yet. Durable when this returns; raises StanzaError where there is no room."""
        service = account.get(PersonalService)
        return await publishing.publish_as_service(self.engine, service, node, payload, item, config)

    async def retract(self, account: Account, node: str, item: str) -> None:
        """Delete an item, if it is there, and tell those who want to know."""
        service = account.get(PersonalService)
        if (found := service.nodes.get(node)) is not None:
            try:
                await publishing.take(self.engine, service, found, item, account.jid, notify=True, by_server=True)
            except StanzaError as error:
                if error.condition != "item-not-found":
                    raise

    async def items(self, account: Account, node: str) -> list[StoredItem]:
        """All items of an account's node, oldest first; none without the node."""
        if node not in account.get(PersonalService).nodes:
            return []
        return await self.engine.store.pubsub.newest(account.jid.text, node, self.settings.max_items)

    async def item(self, account: Account, node: str, item: str) -> StoredItem | None:
        """One item of an account's node."""
        found = await self.engine.store.pubsub.find(account.jid.text, node, [item])
        return found[0] if found else None

    def config(self, account: Account, node: str) -> NodeConfig | None:
        """The configuration of an account's node, if there is one."""
        found = account.get(PersonalService).nodes.get(node)
        return None if found is None else found.config

    async def configure(self, account: Account, node: str, **values: str) -> None:
        """Change fields of the configuration of an account's node, such as access_model="whitelist". Durable when this
        returns."""
        form = Form.of("submit", NODE_CONFIG, {f"pubsub#{name}": value for name, value in values.items()})
        await owning.configure(self.engine, account.get(PersonalService), account.jid, Configure(node, form))

    # -- accounts, and who comes and goes

    @hooks.account_loading()
    async def load(self, account: Account) -> None:
        service = PersonalService(account, self._caps)
        owner, store = account.jid.text, self.engine.store

        def read(connection: Connection) -> tuple[list[StoredNode], list[Any]]:
            return store.pubsub.within(connection).nodes(owner), [op(connection, owner) for op, _ in self._also]

        nodes, others = await store.read(read)
        service.load(nodes)
        account.put(service)
        for (_, take), found in zip(self._also, others, strict=True):
            take(account, found)

    @hooks.session_available(after=["roster", "offline"])
    def available(self, session: Session) -> None:
        self._last.begin(session)

    @hooks.presence_arrived(after=["caps"])
    def arrived(self, account: Account, stanza: Element, to: JID, sender: JID) -> None:
        """Presence of a contact elsewhere, or of somebody who is none."""
        service = account.get(PersonalService)
        if to.resource or not sender.resource or sender.bare == account.jid:
            return
        if stanza.attrs.get("type") is not None:
            self._last.left(service, sender)
        elif sender.domain != self.host.jid.domain or not service.is_mutual(sender.bare):
            self._last.came(service, sender)

    @hooks.presence_unseen()
    def unseen(self, stanza: Element, to: JID, sender: JID) -> Awaitable[None] | None:
        """A contact elsewhere has come online, and the account isn't in memory: last items are for it all the same."""
        if to.resource or not sender.resource or stanza.attrs.get("type") is not None:
            return None
        if sender.domain == self.host.jid.domain or shows_nothing(stanza):
            return None
        return self._wake(stanza, to, sender)

    async def _wake(self, stanza: Element, to: JID, sender: JID) -> None:
        account = await self.host.load(to.local)
        if account is None or account.refuses(sender):
            return
        if account.get(PersonalService).is_mutual(sender.bare):
            for handler in self.host.hooks.presence_arrived:
                handler(account, stanza, to, sender)

    @hooks.subscription_changed(after=["presence"])
    def subscription_changed(self, account: Account, contact: JID, was: str, now: str) -> None:
        """Who sees the account's presence no longer loses the subscriptions that hang on that; who begins to, gets last
        items."""
        service = account.get(PersonalService)
        if was in ("from", "both") and now not in ("from", "both"):
            self._drop(service, contact)
        elif now == "both" and was != now:
            self._last.became_mutual(service, contact)

    @hooks.roster_changed()
    def roster_changed(self, account: Account, change: Payload) -> None:
        """Who is moved out of a group loses the subscriptions to nodes for that group (XEP-0163 §8.1)."""
        assert isinstance(change, Query)
        for item in change.items:
            self._drop(account.get(PersonalService), item.jid.bare)

    def _drop(self, service: PersonalService, contact: JID) -> None:
        """End what subscriptions somebody has to nodes that they may no longer subscribe to."""
        for node in () if service.closed else service.nodes.values():
            if service.subscriptions_of(node, contact) and service.refusal(node, contact, subscribing=True) is not None:
                self.host.server.spawn(owning.drop_outsiders(self.engine, service, node))

    @hooks.account_removed(before=["roster"])
    async def removed(self, account: Account) -> None:
        """Nothing is stored for an account any more that is about to go, and it has to do with nobody's nodes: all that
        would be there for the next one of its name."""
        account.get(PersonalService).closed = True
        jid, store = account.jid, self.engine.store
        for owner in await store.submit(lambda connection: store.pubsub.within(connection).part(jid.text)):
            address = JID.parse(owner)
            host = self.host.server.hosts.get(address.domain)
            other = None if host is None else host.accounts.get(address.local)
            for node in other.get(PersonalService).nodes.values() if other is not None else ():
                node.part(jid)

    # -- requests

    @iq_get(PubSub, to=_ACCOUNTS, even_missing=True)
    async def get(self, request: Request[PubSub]) -> Payload | None:
        asked, sender = request.payload, request.sender
        if asked.items is not None:
            return await self._do(request, presence_needed(), partial(reading.items, self.engine), asked)
        if asked.subscriptions is not None:
            own = asked.subscriptions
            return await self._listed(request, own.node, lambda service: reading.subscriptions(service, sender, own))
        if asked.affiliations is not None:
            mine = asked.affiliations
            return await self._listed(request, mine.node, lambda service: reading.affiliations(service, sender, mine))
        if asked.options is not None:
            raise unsupported("subscription-options")
        if asked.default is not None:
            raise unsupported("retrieve-default-sub")
        raise StanzaError("bad-request", "nothing that can be asked for")

    @iq_set(PubSub, to=_ACCOUNTS, even_missing=True)
    async def set(self, request: Request[PubSub]) -> Payload | None:
        asked, sender, engine = request.payload, request.sender, self.engine
        forbidden = StanzaError("forbidden", "that is for the account's owner")
        if asked.publish is not None:
            return await self._do(request, forbidden, partial(publishing.publish, engine), asked)
        if asked.retract is not None:
            return await self._do(request, forbidden, partial(publishing.retract, engine), asked.retract)
        if asked.create is not None:
            return await self._do(request, forbidden, partial(owning.create, engine), asked)
        if asked.subscribe is not None:
            subscribing.check_own(sender, asked.subscribe.jid)
            return await self._do(request, presence_needed(), partial(subscribing.subscribe, engine), asked.subscribe)
        if asked.unsubscribe is not None:
            not_there = refusal("unexpected-request", "not-subscribed", kind="cancel")
            return await self._do(request, not_there, partial(subscribing.unsubscribe, engine), asked.unsubscribe)
        if asked.options is not None:
            raise unsupported("subscription-options")
        raise StanzaError("bad-request", "nothing that can be done")

    @iq_get(OwnerPubSub, to=_ACCOUNTS, even_missing=True)
    async def owner_get(self, request: Request[OwnerPubSub]) -> Payload | None:
        asked, service, sender = request.payload, self._owned(request), request.sender
        if asked.configure is not None:
            return owning.configuration(self.engine, service, sender, asked.configure)
        if asked.default is not None:
            return owning.defaults(service, asked.default)
        if asked.subscriptions is not None:
            return owning.subscriptions(service, sender, asked.subscriptions)
        if asked.affiliations is not None:
            return owning.affiliations(service, sender, asked.affiliations)
        raise StanzaError("bad-request", "nothing that can be asked for")

    @iq_set(OwnerPubSub, to=_ACCOUNTS, even_missing=True)
    async def owner_set(self, request: Request[OwnerPubSub]) -> None:
        asked, service, sender, engine = request.payload, self._owned(request), request.sender, self.engine
        if asked.configure is not None:
            await owning.configure(engine, service, sender, asked.configure)
        elif asked.delete is not None:
            await owning.delete(engine, service, sender, asked.delete)
        elif asked.purge is not None:
            await owning.purge(engine, service, sender, asked.purge)
        elif asked.subscriptions is not None:
            await owning.change_subscriptions(engine, service, sender, asked.subscriptions)
        elif asked.affiliations is not None:
            await owning.change_affiliations(engine, service, sender, asked.affiliations)
        else:
            raise StanzaError("bad-request", "nothing that can be done")

    async def _do(
        self, request: Request[PubSub], hidden: StanzaError, work: Callable[..., Awaitable[Payload | None]], asked: Any
    ) -> Payload | None:
        """Do what is asked of an account's service. Whoever mustn't know whether there is such an account is told of
        every failure what would be told if there weren't: `hidden`."""
        account = request.account
        if account is None:
            raise hidden
        service = account.get(PersonalService)
        try:
            if service.is_owner(request.sender.bare):
                await self.engine.prepare(service, _node_of(request.payload))
            return await work(service, request.sender, asked)
        except StanzaError:
            if service.is_known_to(request.sender):
                raise
            raise hidden from None

    async def _listed(
        self, request: Request[PubSub], node: str | None, work: Callable[[PersonalService], PubSub]
    ) -> PubSub:
        """What somebody is to an account's service: nothing, to those who mustn't know of it."""
        account = request.account
        if account is not None and account.get(PersonalService).is_known_to(request.sender):
            return work(account.get(PersonalService))
        if node:
            raise presence_needed()
        asked = request.payload
        return PubSub(subscriptions=asked.subscriptions, affiliations=asked.affiliations)

    def _owned(self, request: Request[OwnerPubSub]) -> PersonalService:
        """The service whose nodes somebody owns, or may know of."""
        account = request.account
        if account is None or not account.get(PersonalService).is_known_to(request.sender):
            raise StanzaError("forbidden", "that is for the account's owner")
        service = account.get(PersonalService)
        if not service.is_owner(request.sender.bare) and not any(
            affiliation == "owner"
            for node in service.nodes.values()
            if (affiliation := service.affiliation(node, request.sender))
        ):
            raise StanzaError("forbidden", "that is for the node's owner")
        return service

    @hooks.message_out()
    def answered(self, session: Session, stanza: Element, to: JID) -> bool:
        """An owner says whether somebody may subscribe (XEP-0060 §8.6)."""
        if to.resource or to != session.jid.bare:
            return False
        element = stanza.child("x", FORMS)
        try:
            form = None if element is None else Form.parse(element)
        except PayloadError:
            return False
        if form is None or form.form_type != AUTHORIZATION or form.type == "form":
            return False
        service = session.account.get(PersonalService)
        session.hold(self.host.server.spawn(subscribing.decide(self.engine, service, session.jid, form)), stanza)
        return True

    # -- service discovery

    def _node_info(self, request: Request[Info]) -> Info | None:
        account = request.account
        if account is None:
            return None
        service = account.get(PersonalService)
        node = service.nodes.get(request.payload.node or "")
        if node is None or not service.is_visible(node, request.sender):
            return None
        return node_info(service, node)

    async def _node_items(self, request: Request[Items]) -> Iterable[Item] | None:
        """The nodes that somebody may subscribe to or read (XEP-0163 §6.2); of a node, its items."""
        account = request.account
        if account is None:
            return None
        service = account.get(PersonalService)
        name = request.payload.node
        if not name:
            nodes = [node for node in service.nodes.values() if service.is_visible(node, request.sender)]
            return [Item(account.jid, node.config.title or None, node.name) for node in nodes]
        node = service.nodes.get(name)
        if node is None or service.refusal(node, request.sender) is not None:
            return None
        owner, limit, since = account.jid.text, self.settings.max_items, self.engine.oldest(node)
        ids = await self.engine.read(lambda rows: rows.ids(owner, name, limit=limit, since=since))
        return [Item(account.jid, item) for item in ids]


def _node_of(asked: PubSub) -> str:
    """The node that a request uses."""
    used = asked.publish or asked.items or asked.retract
    return "" if used is None else used.node


def _has_something_for(account: Account, client: JID) -> bool:
    """Whether an account has a node that somebody may read, and so knows of."""
    service = account.get(PersonalService)
    return any(service.refusal(node, client) is None for node in service.nodes.values())
