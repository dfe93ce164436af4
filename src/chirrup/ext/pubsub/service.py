"""A publish-subscribe service in memory: its nodes, and who may do what with them (XEP-0060 §4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.pubsub.config import NodeConfig
from chirrup.ext.pubsub.errors import refusal

if TYPE_CHECKING:
    from chirrup.store.pubsub import StoredNode

AFFILIATIONS: Final = ("owner", "publisher", "publish-only", "member", "none", "outcast")
_READERS: Final = frozenset({"owner", "publisher", "member"})
_PUBLISHERS: Final = frozenset({"owner", "publisher", "publish-only"})


@dataclass(slots=True)
class Node:
    """A node without its items, which are in the store."""

    name: str
    config: NodeConfig
    created: float
    affiliations: dict[JID, str] = field(default_factory=dict)
    """By bare JID."""
    subscriptions: dict[JID, str] = field(default_factory=dict)
    """The state of each, "subscribed" or "pending", by the subscribed JID, as `subscribe` sets it. Nobody has two with
    one JID."""
    underway: dict[tuple[str, float], set[JID]] = field(default_factory=dict)
    """Items, by id and stamp, that are stored and of which nobody has been told yet; with each, the clients that have
    got it nevertheless, as the last item."""
    _subscribed: frozenset[JID] | None = None

    @property
    def subscribed(self) -> frozenset[JID]:
        """The bare JIDs of those whose subscription isn't pending."""
        if self._subscribed is None:
            self._subscribed = frozenset(jid.bare for jid, state in self.subscriptions.items() if state == "subscribed")
        return self._subscribed

    def subscribe(self, jid: JID, state: str) -> None:
        """Set the state of a subscription; an empty one ends it."""
        if state:
            self.subscriptions[jid] = state
        else:
            self.subscriptions.pop(jid, None)
        self._subscribed = None

    def part(self, jid: JID) -> None:
        """Forget somebody, by their bare JID."""
        self.affiliations.pop(jid, None)
        for one in [one for one in self.subscriptions if one.bare == jid]:
            self.subscribe(one, "")

    def take(self, stored: StoredNode) -> None:
        """Become what the store has."""
        self.config = NodeConfig.from_text(stored.config)
        self.affiliations = {JID.parse(jid): affiliation for jid, affiliation in stored.affiliations.items()}
        self.subscriptions = {JID.parse(one.jid): one.state for one in stored.subscriptions}
        self._subscribed = None


class Service(ABC):
    """The nodes of one JID. What makes an account's service different from others, a subclass says."""

    def __init__(self, jid: JID, default: NodeConfig) -> None:
        self.jid = jid
        self.default = default
        """How nodes are configured from the start."""
        self.nodes: dict[str, Node] = {}
        self.begun = 0
        """How many writes there have been."""
        self.writing = 0
        """How many of them aren't settled."""
        self.stale = False
        """Whether one of them has failed, so that what is in memory may not be what the store has."""
        self.closed = False
        """Whether nothing is written any more, because the account is being removed."""

    def load(self, stored: Iterable[StoredNode]) -> None:
        """Take over what the store has. Nodes that are known remain the same objects."""
        nodes = {}
        for one in stored:
            nodes[one.node] = node = self.nodes.get(one.node) or Node(one.node, self.default, one.created)
            node.take(one)
        self.nodes = nodes

    @property
    def involved(self) -> int:
        """How many subscriptions and affiliations there are, at all nodes."""
        return sum(len(node.subscriptions) + len(node.affiliations) for node in self.nodes.values())

    # -- what subclasses say

    @abstractmethod
    def is_owner(self, jid: JID) -> bool:
        """Whether somebody owns every node, and may make some. `jid` is bare here and below."""

    @abstractmethod
    def shares_presence_with(self, jid: JID) -> bool:
        """Whether somebody is subscribed to the owner's presence."""

    @abstractmethod
    def groups_of(self, jid: JID) -> Iterable[str]:
        """The groups of the owner's roster that somebody is in."""

    def may_enlist(self, jid: JID) -> bool:
        """Whether an owner may subscribe somebody who hasn't asked for it."""
        return True

    @property
    def groups(self) -> Iterable[str]:
        """All groups of the owner's roster."""
        return ()

    @abstractmethod
    def audience(self, node: Node) -> Iterator[tuple[JID, bool]]:
        """Who is told of what happens to a node, once each: an address, and whether it is of somebody who is
        subscribed to the owner's presence."""

    # -- who may what

    def find(self, name: str) -> Node:
        """The node of that name. StanzaError without one."""
        if not name:
            raise refusal("bad-request", "nodeid-required", "which node?")
        node = self.nodes.get(name)
        if node is None:
            # profanity 0.13 looks at the number, and publishes no list of OMEMO's devices without it.
            raise StanzaError("item-not-found", "there is no such node", code=404)
        return node

    def affiliation(self, node: Node, jid: JID) -> str:
        return "owner" if self.is_owner(jid.bare) else node.affiliations.get(jid.bare, "none")

    def subscriptions_of(self, node: Node, jid: JID) -> dict[JID, str]:
        """The subscriptions to a node of all JIDs that are somebody's."""
        bare = jid.bare
        return {one: state for one, state in node.subscriptions.items() if one.bare == bare}

    def check_owner(self, node: Node, jid: JID) -> None:
        if self.affiliation(node, jid) != "owner":
            raise StanzaError("forbidden", "that is for the node's owner")

    def check_publisher(self, node: Node, jid: JID) -> None:
        affiliation = self.affiliation(node, jid)
        model = node.config.publish_model
        if affiliation == "outcast" or not (
            affiliation in _PUBLISHERS or model == "open" or (model == "subscribers" and jid.bare in node.subscribed)
        ):
            raise StanzaError("forbidden", "you may not publish there")

    def refusal(self, node: Node, jid: JID, *, subscribing: bool = False) -> StanzaError | None:
        """Why somebody may not retrieve items from a node, or not subscribe to it; None if they may (§4.5)."""
        affiliation = self.affiliation(node, jid)
        if affiliation in _READERS:
            return None
        if affiliation in ("outcast", "publish-only"):
            return StanzaError("forbidden", "you may not read what is there")
        match node.config.access_model:
            case "open":
                return None
            case "presence":
                if self.shares_presence_with(jid.bare):
                    return None
                return presence_needed()
            case "roster":  # §6.5.1: both
                if not self.shares_presence_with(jid.bare):
                    return presence_needed()
                if set(node.config.roster_groups_allowed) & set(self.groups_of(jid.bare)):
                    return None
                return refusal("not-authorized", "not-in-roster-group")
            case "authorize":
                if subscribing or jid.bare in node.subscribed:
                    return None
                return refusal("not-authorized", "not-subscribed")
            case _:
                return refusal("not-allowed", "closed-node")

    def check_reader(self, node: Node, jid: JID) -> None:
        if (why := self.refusal(node, jid)) is not None:
            raise why

    def is_visible(self, node: Node, jid: JID) -> bool:
        """Whether somebody may know that there is such a node, because they may read it or ask to (XEP-0163 §6.2)."""
        return self.refusal(node, jid, subscribing=True) is None


def presence_needed() -> StanzaError:
    """What is told to those who aren't subscribed to the owner's presence."""
    return refusal("not-authorized", "presence-subscription-required")
