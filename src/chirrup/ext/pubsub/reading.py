"""Retrieving items (XEP-0060 §6.5), and what one is to a service (§§5.6 and 5.7)."""

from __future__ import annotations

from typing import Any, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.ext.pubsub.engine import Engine
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

_MAX_NAMED: Final = 100
"""Items that one request may name."""


async def items(engine: Engine, service: Service, sender: JID, request: PubSub) -> PubSub:
    """The items asked for: by id, the newest few, a page, or all that fit into one answer."""
    asked = request.items
    assert asked is not None
    node = service.find(asked.node)
    service.check_reader(node, sender)
    if asked.items:
        found, page = await _named(engine, service, node, asked), None
    else:
        found, page = await _page(engine, service, node, asked, request.set)
    return PubSub(items=Items(node.name, items=tuple(_told(node, one) for one in found)), set=page)


async def _named(engine: Engine, service: Service, node: Node, asked: Items) -> list[Any]:
    names = [one.id or "" for one in asked.items]
    if len(names) > _MAX_NAMED or any(len(name) > MAX_NAME for name in names):
        raise StanzaError("not-acceptable", f"one request may name {_MAX_NAMED} items")
    found = await engine.read(lambda rows: rows.find(service.jid.text, node.name, names))
    return _fitting(engine, _fresh(engine, node, found))[0]


async def _page(
    engine: Engine, service: Service, node: Node, asked: Items, page: Set | None
) -> tuple[list[Any], Set | None]:
    """A page; what is told of it where one was asked for, or where not everything fits."""
    owner, largest = service.jid.text, engine.limits.max_items
    if asked.max_items is not None and asked.max_items < 1:
        raise StanzaError("bad-request", "max_items is a positive number")
    newest = Wanted(min(asked.max_items or largest, largest), backwards=True)
    where = newest if page is None else wanted(page, largest=largest)

    def read(rows: Any) -> tuple[list[Any], int, int]:
        after, before = _position(rows, owner, node, where.after), _position(rows, owner, node, where.before)
        found = [] if where.limit == 0 else rows.items(
            owner, node.name, limit=where.limit, after=after, before=before, newest=where.backwards,
            skip=where.index or 0,
        )  # fmt: skip
        first = rows.count(owner, node.name, before=found[0].position) if found else 0
        return found, rows.count(owner, node.name), first

    found, count, first = await engine.read(read)
    fresh = _fresh(engine, node, found)
    fitting, left_out = _fitting(engine, fresh, from_end=where.backwards)
    if page is None and not left_out:
        return fitting, None
    if where.backwards:
        first += left_out
    return fitting, told([one.item for one in fitting], count=count, index=first if fitting else None)


def _position(rows: Any, owner: str, node: Node, item: str | None) -> int | None:
    """Where a page begins or ends."""
    if item is None:
        return None
    found = rows.find(owner, node.name, [item])
    if not found:
        raise StanzaError("item-not-found", "there is no such item to begin or end a page at")
    position: int = found[0].position
    return position


def _fresh(engine: Engine, node: Node, found: list[Any]) -> list[Any]:
    """Those that haven't expired."""
    expire = node.config.item_expire
    return found if expire is None else [one for one in found if one.stamp >= engine.now() - expire]


def _fitting(engine: Engine, found: list[Any], *, from_end: bool = False) -> tuple[list[Any], int]:
    """As many as fit into an answer, but one at least; and how many don't."""
    size = 0
    ordered = found[::-1] if from_end else found
    for number, one in enumerate(ordered):
        size += len(one.payload)
        if number and size > engine.limits.max_answer_bytes:
            kept = ordered[:number]
            return kept[::-1] if from_end else kept, len(found) - number
    return found, 0


def _told(node: Node, stored: Any) -> Item:
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
