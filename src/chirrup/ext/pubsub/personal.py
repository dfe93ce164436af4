"""The publish-subscribe service that each account is (XEP-0163)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.pubsub import NOTIFY
from chirrup.ext.pubsub.config import DEFAULT
from chirrup.ext.pubsub.service import Node, Service, presence_needed
from chirrup.ext.roster.roster import Roster
from chirrup.server.module import Account

if TYPE_CHECKING:
    from chirrup.server.host import Host

_MAX_STRANGERS: Final = 2000
"""Clients that one account keeps in mind because they have sent it presence, of people who don't see its own."""
_MAX_CLIENTS: Final = 50
"""Clients of one contact elsewhere that are kept in mind."""


class PersonalService(Service):
    """An account's service. Kept with the account."""

    def __init__(self, account: Account, caps: Capabilities) -> None:
        super().__init__(account.jid, DEFAULT)
        self.account = account
        self._host: Host = account.host
        self._caps = caps
        self.peers: dict[JID, dict[JID, set[str]]] = {}
        """Who has sent presence to the account without being a contact on this host: full JIDs by bare JID, and the
        nodes whose last items each has got."""
        self._strangers: set[JID] = set()

    # -- who is who

    def is_owner(self, jid: JID) -> bool:
        return jid == self.jid

    def shares_presence_with(self, jid: JID) -> bool:
        return self.account.get(Roster).shares_with(jid)

    def groups_of(self, jid: JID) -> Iterable[str]:
        contact = self.account.get(Roster).get(jid)
        return contact.groups if contact.listed else ()

    def refusal(self, node: Node, jid: JID, *, subscribing: bool = False) -> StanzaError | None:
        if self._blocks(jid):
            return presence_needed()
        return super().refusal(node, jid, subscribing=subscribing)

    def _blocks(self, jid: JID) -> bool:
        """Whether the owner has nothing to do with somebody (XEP-0163 §4.3.3)."""
        return self.account.refuses(jid)

    def may_enlist(self, jid: JID) -> bool:
        return self.is_owner(jid) or self.shares_presence_with(jid)

    @property
    def groups(self) -> Iterable[str]:
        return sorted({group for contact in self.account.get(Roster).contacts for group in contact.groups})

    def is_known_to(self, jid: JID) -> bool:
        """Whether somebody may know that there is such an account: it is theirs, they see its presence, or its owner
        has let them have to do with a node."""
        bare = jid.bare
        return (
            self.is_owner(bare)
            or self.shares_presence_with(bare)
            or any(bare in node.affiliations or self.subscriptions_of(node, bare) for node in self.nodes.values())
        )

    def is_mutual(self, jid: JID) -> bool:
        """Whether presence goes both ways: only then it is known here who is there to be told (XEP-0163 §2.3)."""
        state = self.account.get(Roster).get(jid).state
        return state.shares and state.receives

    # -- who is there

    def add_peer(self, full: JID) -> set[str] | None:
        """Note a client elsewhere that is available: the nodes whose last items it has got; None if it is one too
        many."""
        clients = self.peers.get(full.bare, {})
        known = clients.get(full)
        if known is None:
            stranger = not self.shares_presence_with(full.bare)
            if len(clients) >= _MAX_CLIENTS or (stranger and len(self._strangers) >= _MAX_STRANGERS):
                return None
            if stranger:
                self._strangers.add(full)
            known = self.peers.setdefault(full.bare, {})[full] = set()
        return known

    def remove_peer(self, full: JID) -> None:
        clients = self.peers.get(full.bare, {})
        self._strangers.discard(full)
        if clients.pop(full, None) is not None and not clients:
            del self.peers[full.bare]

    def _clients_of(self, contact: JID) -> Iterable[JID]:
        """The clients of a contact that are available."""
        if contact.domain != self.jid.domain:
            return self.peers.get(contact, ())
        account = self._host.accounts.get(contact.local)
        return () if account is None else [session.jid for session in account.available]

    def wants(self, client: JID, node: str) -> bool:
        """Whether a client says that it wants to hear of nodes of that name."""
        features = self._caps.features_of(client)
        return features is not None and node + NOTIFY in features

    def audience(self, node: Node) -> Iterator[tuple[JID, bool]]:
        told: set[JID] = set()
        reached: set[JID] = set()
        for client, trusted in self._interested(node):
            if client not in told and not self._blocks(client):
                told.add(client)
                reached.add(client.bare)
                yield client, trusted
        for jid, state in node.subscriptions.items():
            if state != "subscribed" or jid in told or self.refusal(node, jid, subscribing=True) is not None:
                continue
            if (jid.resource or jid not in reached) and not node.config.presence_based_delivery:
                told.add(jid)
                yield jid, self.shares_presence_with(jid.bare)

    def _interested(self, node: Node) -> Iterator[tuple[JID, bool]]:
        """The clients that are told because they share presence and say what they want (XEP-0060 §9.1)."""
        for session in self.account.available:
            if self.wants(session.jid, node.name):
                yield session.jid, True
        subscribers = self.account.get(Roster).subscribers
        for contact in (*(jid for _, _, jid in subscribers.local), *subscribers.remote):
            if self.is_mutual(contact) and self.refusal(node, contact) is None:
                for client in self._clients_of(contact):
                    if self.wants(client, node.name):
                        yield client, True
        for bare, clients in self.peers.items():
            if not self.shares_presence_with(bare) and self.refusal(node, bare) is None:
                for client in clients:
                    if self.wants(client, node.name):
                        yield client, False
