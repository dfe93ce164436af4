"""Retrieving items (XEP-0060 §6.5), and what one is to a service (§§5.6 and 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.ext.pubsub.engine import Engine
from chirrup.ext.pubsub.errors import unsupported
from chirrup.ext.pubsub.payloads import (
    Affiliation,
    Affiliations,
    Item,
    Items,
    PubSub,
    Subscription,
    Subscriptions,
)
from chirrup.ext.pubsub.publishing import MAX_NAME
from chirrup.ext.pubsub.service import Node, Service
from chirrup.ext.rsm.pages import Wanted, told, wanted
from chirrup.ext.rsm.payloads import Set

if TYPE_CHECKING:
    from chirrup.store.pubsub import PubSubRows, StoredItem

_MAX_NAMED: Final = 100
"""Items that one request may name."""


async def items(engine: Engine, service: Service, sender: JID, request: PubSub) -> PubSub:
    """The items asked for: by id, the newest few, a page, or all that fit into one answer."""
    asked = request.items
    assert asked is not None
    node = service.find(asked.node)
    service.check_reader(node, sender)
    if not node.config.persist_items:
        raise unsupported("persistent-items")
    if asked.items:
        found, page = await _named(engine, service, node, asked), None
    else:
        found, page = await _page(engine, service, node, asked, request.set)
    return PubSub(items=Items(node.name, items=tuple(_told(node, one) for one in found)), set=page)


async def _named(engine: Engine, service: Service, node: Node, asked: Items) -> list[StoredItem]:
    names = [one.id or "" for one in asked.items]
    if len(names) > _MAX_NAMED or any(len(name) > MAX_NAME for name in names):
        raise StanzaError("not-acceptable", f"one request may name {_MAX_NAMED} items")
    since = engine.oldest(node)
    found = await engine.read(lambda rows: rows.find(service.jid.text, node.name, names, since=since))
    return _fitting(engine, found)


async def _page(
    engine: Engine, service: Service, node: Node, asked: Items, page: Set | None
) -> tuple[list[StoredItem], Set | None]:
    """A page; what is told of it where one was asked for, or where not everything fits."""
    owner, largest = service.jid.text, engine.limits.max_items
    if asked.max_items is not None and asked.max_items < 1:
        raise StanzaError("bad-request", "max_items is a positive number")
    newest = Wanted(min(asked.max_items or largest, largest), backwards=True)
    where, since = newest if page is None else wanted(page, largest=largest), engine.oldest(node)

    def read(rows: PubSubRows) -> tuple[list[StoredItem], Set | None]:
        after, before = _position(rows, owner, node, where.after), _position(rows, owner, node, where.before)
        found = [] if where.limit == 0 else rows.items(
            owner, node.name, limit=where.limit, after=after, before=before, newest=where.backwards,
            skip=where.index or 0, since=since,
        )  # fmt: skip
        fitting = _fitting(engine, found, from_end=where.backwards)
        if page is None and len(fitting) == len(found):
            return fitting, None
        first = rows.count(owner, node.name, before=fitting[0].position, since=since) if fitting else None
        count = rows.count(owner, node.name, since=since)
        return fitting, told([one.item for one in fitting], count=count, index=first)

    return await engine.read(read)


def _position(rows: PubSubRows, owner: str, node: Node, item: str | None) -> int | None:
    """Where a page begins or ends."""
    if item is None:
        return None
    found = rows.find(owner, node.name, [item])
    if not found:
        raise StanzaError("item-not-found", "there is no such item to begin or end a page at")
    return found[0].position


def _fitting(engine: Engine, found: list[StoredItem], *, from_end: bool = False) -> list[StoredItem]:
    """As many as fit into an answer, but one at least."""
    size = 0
    ordered = found[::-1] if from_end else found
    for number, one in enumerate(ordered):
        size += len(one.payload)
        if number and size > engine.limits.max_answer_bytes:
            kept = ordered[:number]
            return kept[::-1] if from_end else kept
    return found


def _told(node: Node, stored: StoredItem) -> Item:
    publisher = JID.parse(stored.publisher).bare.text if node.config.itemreply == "publisher" else None
    return Item(stored.item, publisher, (parse_element(stored.payload),) if stored.payload else ())


def subscriptions(service: Service, sender: JID, asked: Subscriptions) -> PubSub:
    """One's own subscriptions, to one node or to all."""
    nodes = [service.find(asked.node)] if asked.node else list(service.nodes.values())
    mine = [
        Subscription(jid, node.name, state)
        for node in nodes
        for jid, state in service.subscriptions_of(node, sender).items()
    ]
    return PubSub(subscriptions=Subscriptions(asked.node, tuple(mine)))


def affiliations(service: Service, sender: JID, asked: Affiliations) -> PubSub:
    """One's own affiliations, with one node or with all."""
    nodes = [service.find(asked.node)] if asked.node else list(service.nodes.values())
    mine = [Affiliation(node.name, service.affiliation(node, sender)) for node in nodes]
    return PubSub(affiliations=Affiliations(asked.node, tuple(one for one in mine if one.affiliation != "none")))
