"""Last items for those who become available, or say anew what they want to hear of (XEP-0163 §4.3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.jid import JID
from chirrup.ext.pubsub import NOTIFY
from chirrup.ext.pubsub.config import NodeConfig
from chirrup.ext.pubsub.engine import Engine, published
from chirrup.ext.pubsub.personal import PersonalService
from chirrup.ext.pubsub.service import Node
from chirrup.ext.roster.roster import Roster

if TYPE_CHECKING:
    from chirrup.server.session import Session

MAX_WANTED: Final = 100
"""Nodes whose last items one client gets."""
_AT_ONCE: Final = 100
"""Nodes of contacts that one query of the store is about."""

_WITH_PRESENCE: Final = "on_sub_and_presence"


class Served:
    """The nodes whose last items a session has got since it became available. Kept with the session."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: set[str] = set()


def wanted_by(features: frozenset[str]) -> set[str]:
    """The names of the nodes that a client with these features wants to hear of."""
    return set(islice((one.removesuffix(NOTIFY) for one in sorted(features) if one.endswith(NOTIFY)), MAX_WANTED))


async def serve_session(engine: Engine, session: Session, names: set[str], owners: list[JID] | None = None) -> None:
    """Send a session the last items of nodes of these names, of its own account and of its contacts on this host, or
    of these owners only."""
    account = session.account
    own = account.get(PersonalService)
    if owners is None:
        await _send(engine, session, [(own, node) for node in _due(own, own.jid, names)])
        owners = [jid for _, _, jid in account.get(Roster).contributors.local if own.is_mutual(jid)]
    by_text = {jid.text: jid for jid in owners}
    there = await engine.store.pubsub.owners(list(by_text), sorted(names))
    due = {
        owner for owner, _, config in there if NodeConfig.from_text(config).send_last_published_item == _WITH_PRESENCE
    }
    found: list[tuple[PersonalService, Node]] = []
    for owner in by_text:
        if owner not in due:
            continue
        contact = await engine.host.load(by_text[owner].local)
        if contact is not None:
            service = contact.get(PersonalService)
            if service.is_mutual(account.jid):
                found += [(service, node) for node in _due(service, account.jid, names)]
    for start in range(0, len(found), _AT_ONCE):
        await _send(engine, session, found[start : start + _AT_ONCE])


async def serve_peer(engine: Engine, service: PersonalService, client: JID, names: Iterable[str]) -> None:
    """Send a client elsewhere the last items of an account's nodes of these names."""
    for node in _due(service, client.bare, names):
        for one in await engine.store.pubsub.newest(service.jid.text, node.name, 1):
            trusted = service.shares_presence_with(client.bare)
            _send_one(engine, service, node, client, one, trusted=trusted)


def _due(service: PersonalService, reader: JID, names: Iterable[str]) -> list[Node]:
    """The nodes of these names whose last item somebody gets, and may."""
    nodes = [node for name in sorted(names) if (node := service.nodes.get(name)) is not None]
    return [
        node
        for node in nodes
        if node.config.send_last_published_item == _WITH_PRESENCE
        and node.config.deliver_notifications
        and service.refusal(node, reader) is None
    ]


async def _send(engine: Engine, session: Session, nodes: list[tuple[PersonalService, Node]]) -> None:
    if not nodes:
        return
    stored = await engine.read(
        lambda rows: [
            (service, node, one) for service, node in nodes for one in rows.last(service.jid.text, [node.name])
        ]
    )
    for service, node, one in stored:
        if session.presence is None:
            return
        _send_one(engine, service, node, session.jid, one, trusted=True)


def _send_one(engine: Engine, service: PersonalService, node: Node, to: JID, one: Any, *, trusted: bool) -> None:
    """`one` is a `StoredItem`."""
    expire = node.config.item_expire
    if expire is not None and one.stamp < engine.now() - expire:
        return
    publisher = JID.parse(one.publisher)
    content = published(node, one.item, publisher.bare.text, one.payload)
    engine.send(service, node, to, content, publisher=publisher if trusted else None, stamp=one.stamp)
