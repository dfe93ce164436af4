"""Nodes of accounts and their items, exported and imported (XEP-0227, Personal Eventing Protocol)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.xml import Element, escape_attribute
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import NS, OWNER
from chirrup.ext.pubsub.config import DEFAULT, NodeConfig, read_values
from chirrup.ext.pubsub.owner_payloads import Affiliation, Affiliations, Configure, Subscription, Subscriptions
from chirrup.ext.pubsub.service import AFFILIATIONS
from chirrup.server.transfer import Incoming, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store
    from chirrup.store.pubsub import PubSubRows, StoredNode

_PAGE: Final = 100
_ALL: Final = 1 << 31
_STATES: Final = frozenset({"subscribed", "pending"})


@record
class _Published:
    item: str
    publisher: str
    payload: str


class Transfer(Part):
    """What the account publishes, or keeps for itself."""

    opens = frozenset({("pubsub", OWNER), ("pubsub", NS)})

    def __init__(self, store: Store, owner: JID) -> None:
        super().__init__(store, owner)
        self._named: set[str] = set()  # nodes of which a configuration has been taken
        self._assumed: set[str] = set()  # nodes that exist because of their items

    # -- out

    async def export(self) -> AsyncIterator[str]:
        nodes = await self.store.pubsub.nodes(self.owner.text)
        if not nodes:
            return
        yield f"<pubsub xmlns='{OWNER}'>{''.join(written for node in nodes for written in _owned(node))}</pubsub>"
        yield f"<pubsub xmlns='{NS}'>"
        for node in nodes:
            yield f"<items node='{escape_attribute(node.node)}'>"
            async for written in self._items(node.node):
                yield written
            yield "</items>"
        yield "</pubsub>"

    async def _items(self, node: str) -> AsyncIterator[str]:
        owner, last = self.owner.text, 0

        def page(connection: Connection) -> list[Any]:
            return self.store.pubsub.within(connection).items(owner, node, limit=_PAGE, after=last)

        while found := await self.store.read(page):
            for one in found:
                publisher = f" publisher='{escape_attribute(one.publisher)}'" if one.publisher else ""
                yield f"<item id='{escape_attribute(one.item)}'{publisher}>{one.payload}</item>"
            last = found[-1].position

    # -- in

    async def take(self, element: Element, incoming: Incoming) -> None:
        node = element.get("node")
        if not node:
            raise ValueError(f"<{element.name}/> doesn't say of which node")
        match element.name, element.ns:
            case "configure", _:
                await self._configure(node, Configure.parse(element), incoming)
            case "affiliations", _:
                await self._affiliate(node, Affiliations.parse(element), incoming)
            case "subscriptions", _:
                await self._subscribe(node, Subscriptions.parse(element), incoming)
            case "items", _:
                await self._publish(node, element, incoming)
            case name, ns:
                incoming.leave_out(f"<{name} xmlns='{ns}'/> of nodes")

    async def _configure(self, node: str, configure: Configure, incoming: Incoming) -> None:
        config = DEFAULT if configure.form is None else _config(configure.form, incoming)
        text, assumed = config.to_text(), node in self._assumed
        self._named.add(node)

        def put(rows: PubSubRows) -> int:
            new = not any(known.node == node for known in rows.nodes(self.owner.text))
            if new or assumed:
                rows.put_node(self.owner.text, node, text, incoming.started)
            return int(new or assumed)

        await self._store("nodes", 1, put, incoming)

    async def _affiliate(self, node: str, affiliations: Affiliations, incoming: Incoming) -> None:
        given = {}
        for one in affiliations.affiliations:
            if one.affiliation not in AFFILIATIONS:
                incoming.leave_out(f"the affiliation {one.affiliation!r} with nodes")
            elif one.affiliation != "none" and one.jid.bare != self.owner:
                given[one.jid.bare.text] = one.affiliation

        def put(rows: PubSubRows) -> int:
            known = self._known(rows, node)
            new = given.keys() - known.affiliations.keys() if known else ()
            for jid in new:
                rows.set_affiliation(self.owner.text, node, jid, given[jid])
            return len(new)

        if given:
            await self._store("affiliations with nodes", len(given), put, incoming)

    async def _subscribe(self, node: str, subscriptions: Subscriptions, incoming: Incoming) -> None:
        # Prosody writes "subscribed" for those whose state it doesn't tell.
        given = {one.jid.text: one.subscription or "subscribed" for one in subscriptions.subscriptions}
        for state in set(given.values()) - _STATES - {"none"}:
            incoming.leave_out(f"the subscription {state!r} to nodes")
        given = {jid: state for jid, state in given.items() if state in _STATES}

        def put(rows: PubSubRows) -> int:
            known = self._known(rows, node)
            new = given.keys() - {one.jid for one in known.subscriptions} if known else ()
            for jid in new:
                rows.set_subscription(self.owner.text, node, jid, "", given[jid])
            return len(new)

        if given:
            await self._store("subscriptions to nodes", len(given), put, incoming)

    async def _publish(self, node: str, element: Element, incoming: Incoming) -> None:
        if node not in self._named:
            self._assumed.add(node)
        found = list(self._published(node, element, incoming))
        for start in range(0, len(found) or 1, _PAGE):
            await self._store_items(node, found[start : start + _PAGE], incoming)

    def _published(self, node: str, element: Element, incoming: Incoming) -> Iterator[_Published]:
        for child in element.elements("item", NS):
            first = child.first
            payload = "" if first is None else str(first)
            name = child.get("id") or blake2b(payload.encode(), digest_size=12).hexdigest()
            try:
                publisher = JID.parse(child.get("publisher")).text if child.get("publisher") else self.owner.text
            except ValueError:
                incoming.complain(
                    f"{child.get('publisher')!r}, who published the item {name!r} of {node!r}, is no address; it is "
                    "taken for the account's own"
                )
                publisher = self.owner.text
            yield _Published(name, publisher, payload)

    async def _store_items(self, node: str, items: list[_Published], incoming: Incoming) -> None:
        owner = self.owner.text
        # Nobody has said who may read a node without a configuration.
        private = NodeConfig(access_model="whitelist").to_text()

        def put(rows: PubSubRows) -> int:
            rows.ensure_node(owner, node, private, incoming.started)
            known = {one.item for one in rows.find(owner, node, [one.item for one in items])}
            new = [one for one in items if one.item not in known]
            for one in new:
                rows.publish(owner, node, one.item, one.publisher, incoming.started, one.payload, keep=_ALL)
            self._make_room(rows, node)
            return len(new)

        await self._store("items of nodes", len(items), put, incoming, sum(len(one.payload) for one in items))

    # -- the store

    def _make_room(self, rows: PubSubRows, node: str) -> None:
        """Let a node keep what has come, where its configuration has too few: the next item would put it out."""
        known = self._known(rows, node)
        config = DEFAULT if known is None else NodeConfig.from_text(known.config)
        if known is not None and config.max_items is not None and rows.count(self.owner.text, node) > config.max_items:
            rows.put_node(self.owner.text, node, config.with_values({"max_items": None}).to_text(), known.created)

    def _known(self, rows: PubSubRows, node: str) -> StoredNode | None:
        return next((known for known in rows.nodes(self.owner.text) if known.node == node), None)

    async def _store(self, kind: str, most: int, put: Any, incoming: Incoming, size: int = 0) -> None:
        within = self.store.pubsub.within
        await incoming.store(kind, most, lambda connection: put(within(connection)), size=size)


def _owned(node: StoredNode) -> Iterator[str]:
    """What `<pubsub/>` of the owner has about a node."""
    yield str(Configure(node.node, NodeConfig.from_text(node.config).form("submit")).to_element())
    if node.affiliations:
        given = tuple(Affiliation(JID.parse(jid), how) for jid, how in node.affiliations.items())
        yield str(Affiliations(node.node, given).to_element())
    if node.subscriptions:
        all_ = tuple(Subscription(JID.parse(one.jid), one.state, one.subid or None) for one in node.subscriptions)
        yield str(Subscriptions(node.node, all_).to_element())


def _config(form: Form, incoming: Incoming) -> NodeConfig:
    """As much of a configuration as is understood; where it isn't understood who may read, only the owner may."""
    config = DEFAULT
    for field in form.fields:
        try:
            config = config.with_values(read_values(Form("submit", fields=(field,))))
        except StanzaError:
            incoming.leave_out(f"{field.var}={field.value!r} in the configuration of nodes")
            if field.var == "pubsub#access_model":
                config = config.with_values({"access_model": "whitelist"})
    return config
