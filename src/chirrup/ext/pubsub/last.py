"""Last items for those who become available, or say anew what they want to hear of (XEP-0163 §4.3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import TYPE_CHECKING, Final

from chirrup.core.jid import JID
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.pubsub import NOTIFY
from chirrup.ext.pubsub.config import NodeConfig
from chirrup.ext.pubsub.engine import Engine, News
from chirrup.ext.pubsub.personal import PersonalService
from chirrup.ext.pubsub.service import Node
from chirrup.ext.roster.roster import Roster

if TYPE_CHECKING:
    from chirrup.server.session import Session

MAX_WANTED: Final = 100
"""Nodes whose last items one client gets."""
_AT_ONCE: Final = 100
"""Nodes of contacts that one query of the store is about."""
_TURN_OCTETS: Final = 65_536
"""Octets of items that are sent before others have their turn."""

_WITH_PRESENCE: Final = "on_sub_and_presence"


class Served:
    """The nodes whose last items a session has got since it became available, or is about to. Kept with the session."""

    __slots__ = ("due", "names")

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.due: set[str] = set()
        """Those of them whose turn hasn't come."""


class Serving:
    """Marks a session that is being sent last items. However often it comes and goes, that is one thing after the
    other."""


class LastItems:
    """Sends them to the clients of a host's accounts, and to those of their contacts elsewhere."""

    def __init__(self, engine: Engine, caps: Capabilities) -> None:
        self._engine = engine
        self._caps = caps
        self._peers: dict[JID, set[str]] = {}
        """The localparts of the accounts that a client elsewhere has sent presence to."""

    def begin(self, session: Session) -> None:
        """A session has become available, and has got nothing yet."""
        session.put(Served())
        self._serve(session)

    def known(self, who: Session | JID) -> None:
        """The features of a session, or of a client elsewhere, have become known."""
        if isinstance(who, JID):
            for local in self._peers.get(who, ()):
                if (account := self._engine.host.accounts.get(local)) is not None:
                    self._serve_peer(account.get(PersonalService), who)
        elif who.presence is not None:
            self._serve(who)

    def came(self, service: PersonalService, client: JID) -> None:
        """A client elsewhere, or of somebody who is no contact, has sent an account presence."""
        if service.add_peer(client) is not None:
            self._peers.setdefault(client, set()).add(service.jid.local)
            if len(self._peers) > self._caps.settings.max_remote:  # accounts may have left memory before them
                del self._peers[next(iter(self._peers))]
            self._serve_peer(service, client)

    def left(self, service: PersonalService, client: JID) -> None:
        """It isn't available to the account any more."""
        service.remove_peer(client)
        locals_ = self._peers.get(client, set())
        locals_.discard(service.jid.local)
        if not locals_:
            self._peers.pop(client, None)

    def became_mutual(self, service: PersonalService, contact: JID) -> None:
        """An account and a contact see each other's presence from now on."""
        host = self._engine.host
        clients = list(service.peers.get(contact, ()))
        if contact.domain != host.jid.domain:
            for client in clients:
                self._serve_peer(service, client)
            return
        for client in clients:
            service.remove_peer(client)
        other = host.accounts.get(contact.local)
        for session in other.available if other is not None else ():
            if features := self._caps.features_of(session):
                host.server.spawn(_serve_session(self._engine, session, wanted_by(features), [service.jid]))

    def _serve(self, session: Session) -> None:
        """Send a session the last items that it wants and hasn't got."""
        features, served = self._caps.features_of(session), session.find(Served)
        if features is None or served is None:
            return
        fresh = wanted_by(features) - served.names
        if fresh:
            served.names |= fresh
            served.due |= fresh
            if Serving not in session.data:
                session.put(Serving())
                self._engine.host.server.spawn(self._serve_in_turn(session))

    async def _serve_in_turn(self, session: Session) -> None:
        try:
            while (served := session.find(Served)) is not None and served.due:
                names, served.due = served.due, set()
                await _serve_session(self._engine, session, names)
        finally:
            session.drop(Serving)

    def _serve_peer(self, service: PersonalService, client: JID) -> None:
        features, served = self._caps.features_of(client), service.add_peer(client)
        if features is None or served is None:
            return
        fresh = _due(service, client.bare, wanted_by(features) - served)
        if fresh:
            served |= {node.name for node in fresh}
            self._engine.host.server.spawn(_serve_peer(self._engine, service, client, fresh))


def wanted_by(features: frozenset[str]) -> set[str]:
    """The names of the nodes that a client with these features wants to hear of."""
    return set(islice((one.removesuffix(NOTIFY) for one in sorted(features) if one.endswith(NOTIFY)), MAX_WANTED))


async def _serve_session(engine: Engine, session: Session, names: set[str], owners: list[JID] | None = None) -> None:
    """Send a session the last items of nodes of these names, of its own account and of its contacts on this host, or
    of these owners only. That ends where it has come anew: then it gets them all once more."""
    account, served = session.account, session.find(Served)
    own = account.get(PersonalService)
    with engine.serving(session.jid) as told:
        if owners is None:
            await _send(engine, session, [(own, node) for node in _due(own, own.jid, names)], told)
            owners = [jid for _, _, jid in account.get(Roster).contributors.local if own.is_mutual(jid)]
        found: list[tuple[PersonalService, Node]] = []
        for owner in await _with_nodes(engine, owners, names):
            contact = await engine.host.load(owner.local)
            if contact is not None:
                service = contact.get(PersonalService)
                if service.is_mutual(account.jid):
                    found += [(service, node) for node in _due(service, account.jid, names)]
        for start in range(0, len(found), _AT_ONCE):
            if session.find(Served) is not served:
                return
            await _send(engine, session, found[start : start + _AT_ONCE], told)


async def _with_nodes(engine: Engine, owners: list[JID], names: set[str]) -> list[JID]:
    """Those of the owners whose accounts are in memory, or have nodes of these names whose last items are sent."""
    away = {owner.text: owner for owner in owners if owner.local not in engine.host.accounts}
    there = await engine.store.pubsub.owners(list(away), sorted(names)) if away else []
    wanted = {
        owner for owner, _, config in there if NodeConfig.from_text(config).send_last_published_item == _WITH_PRESENCE
    }
    return [owner for owner in owners if owner.text not in away or owner.text in wanted]


async def _serve_peer(engine: Engine, service: PersonalService, client: JID, nodes: list[Node]) -> None:
    """Send a client elsewhere the last items of an account's nodes."""
    with engine.serving(client) as told:
        by_name = {node.name: node for node in nodes}
        for one in await engine.store.pubsub.last(service.jid.text, by_name):
            node, trusted = by_name[one.node], service.shares_presence_with(client.bare)
            if service.refusal(node, client.bare) is None:
                engine.send_last(service, node, client, one, told, trusted=trusted)


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


async def _send(
    engine: Engine, session: Session, nodes: list[tuple[PersonalService, Node]], told: AbstractSet[News]
) -> None:
    if not nodes:
        return
    stored = await engine.read(
        lambda rows: [
            (service, node, one) for service, node in nodes for one in rows.last(service.jid.text, [node.name])
        ]
    )
    octets = 0
    for service, node, one in stored:
        octets += len(one.payload)
        if octets > _TURN_OCTETS:
            octets = 0
            await asyncio.sleep(0)
        if session.presence is None:
            return
        if service.refusal(node, session.jid) is None:
            engine.send_last(service, node, session.jid, one, told, trusted=True)
