"""Publish-subscribe: nodes, affiliations, subscriptions, and items in the order of their publication."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, text

from chirrup.core.record import record
from chirrup.store.schema import pubsub_affiliation, pubsub_item, pubsub_node, pubsub_subscription

if TYPE_CHECKING:
    from chirrup.store.store import Store

TABLES: Final = (pubsub_node, pubsub_affiliation, pubsub_subscription, pubsub_item)
CHUNK: Final = 400
"""How many owners or items one statement names."""
OVERHEAD: Final = 500
"""Bytes that an item counts beside those of its payload, so that many empty ones aren't free."""

_PUT_NODE: Final = text(
    "INSERT INTO pubsub_node (owner, node, config, created) VALUES (:owner, :node, :config, :created) "
    "ON CONFLICT (owner, node) DO UPDATE SET config = excluded.config"
)
_ENSURE_NODE: Final = text(
    "INSERT INTO pubsub_node (owner, node, config, created) VALUES (:owner, :node, :config, :created) "
    "ON CONFLICT (owner, node) DO NOTHING"
)
# Plain, and one for everything, since each account is read by it when it comes into memory.
_NODES: Final = text(
    "SELECT 0 AS part, node, config AS a, '' AS b, '' AS c, '' AS d, created FROM pubsub_node WHERE owner = :owner "
    "UNION ALL SELECT 1, node, jid, affiliation, '', '', 0.0 FROM pubsub_affiliation WHERE owner = :owner "
    "UNION ALL SELECT 2, node, jid, subid, state, options, 0.0 FROM pubsub_subscription WHERE owner = :owner "
    "ORDER BY part, node"
)
_PUBLISH: Final = text(
    "INSERT INTO pubsub_item (owner, node, item, position, publisher, stamp, size, payload) "
    "SELECT :owner, :node, :item, coalesce(max(position), 0) + 1, :publisher, CAST(:stamp AS DOUBLE PRECISION), "
    "CAST(:size AS BIGINT), :payload FROM pubsub_item WHERE owner = :owner AND node = :node "
    "ON CONFLICT (owner, node, item) DO UPDATE SET position = excluded.position, publisher = excluded.publisher, "
    "stamp = excluded.stamp, size = excluded.size, payload = excluded.payload"
)
_COUNT: Final = text("SELECT count(*) FROM pubsub_item WHERE owner = :owner AND node = :node")
_SIZE: Final = text(f"SELECT coalesce(sum(size + {OVERHEAD}), 0) FROM pubsub_item WHERE owner = :owner")
_LAST: Final = text(
    "SELECT node, item, publisher, stamp, payload, position FROM pubsub_item "
    "WHERE owner = :owner AND node = :node ORDER BY position DESC LIMIT 1"
)
# What follows "/" among characters is "0": so the index is used for whatever begins with the JID and "/".
_INVOLVING: Final = " WHERE jid = :jid OR (jid > :jid || '/' AND jid < :jid || '0')"
_OWNERS_INVOLVING: Final = text(
    f"SELECT owner FROM pubsub_affiliation{_INVOLVING} UNION SELECT owner FROM pubsub_subscription{_INVOLVING}"
)
_PART: Final = tuple(text(f"DELETE FROM pubsub_{kind}{_INVOLVING}") for kind in ("affiliation", "subscription"))
_FORGET: Final = tuple(text(f"DELETE FROM {table.name} WHERE owner = :owner") for table in TABLES)
_columns = pubsub_item.c
_FIELDS: Final = (_columns.node, _columns.item, _columns.publisher, _columns.stamp, _columns.payload, _columns.position)


class StoredItem(NamedTuple):
    """One item of a node."""

    node: str
    item: str
    """Its id, unique in the node."""
    publisher: str
    stamp: float
    """When it was published, in seconds since 1970."""
    payload: str
    position: int
    """Larger than those of the node's items published before."""


class StoredSubscription(NamedTuple):
    """One subscription to a node."""

    jid: str
    subid: str
    state: str
    options: str


@record
class StoredNode:
    """A node without its items."""

    node: str
    config: str
    created: float
    """Seconds since 1970."""
    affiliations: dict[str, str] = field(default_factory=dict)
    """By bare JID."""
    subscriptions: list[StoredSubscription] = field(default_factory=list)


class PubSubRows:
    """Publish-subscribe within somebody's transaction. `owner` is the service's JID."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- nodes

    def nodes(self, owner: str) -> list[StoredNode]:
        """All of them, in the order of their names."""
        found: dict[str, StoredNode] = {}
        for part, node, a, b, c, d, created in self._connection.execute(_NODES, {"owner": owner}):
            if part == 0:
                found[node] = StoredNode(node, a, created)
            elif part == 1:
                found[node].affiliations[a] = b
            else:
                found[node].subscriptions.append(StoredSubscription(a, b, c, d))
        return list(found.values())

    def put_node(self, owner: str, node: str, config: str, created: float) -> None:
        """Make a node, or give it another configuration."""
        self._connection.execute(_PUT_NODE, {"owner": owner, "node": node, "config": config, "created": created})

    def ensure_node(self, owner: str, node: str, config: str, created: float) -> None:
        """Make a node unless it is there."""
        self._connection.execute(_ENSURE_NODE, {"owner": owner, "node": node, "config": config, "created": created})

    def delete_node(self, owner: str, node: str) -> None:
        for table in TABLES:
            self._connection.execute(delete(table).where(*_of(table, owner, node)))

    def set_affiliation(self, owner: str, node: str, jid: str, affiliation: str) -> None:
        """An empty affiliation removes it."""
        table = pubsub_affiliation
        self._connection.execute(delete(table).where(*_of(table, owner, node), table.c.jid == jid))
        if affiliation:
            row = {"owner": owner, "node": node, "jid": jid, "affiliation": affiliation}
            self._connection.execute(insert(table), row)

    def set_subscription(self, owner: str, node: str, jid: str, subid: str, state: str, options: str = "") -> None:
        """An empty state removes it."""
        table = pubsub_subscription
        where = (*_of(table, owner, node), table.c.jid == jid, table.c.subid == subid)
        self._connection.execute(delete(table).where(*where))
        if state:
            row = {"owner": owner, "node": node, "jid": jid, "subid": subid, "state": state, "options": options}
            self._connection.execute(insert(table), row)

    def part(self, jid: str) -> list[str]:
        """End the affiliations and subscriptions that somebody has, by a bare JID, with anybody's nodes; the owners of
        those nodes."""
        values = {"jid": jid}
        owners = list(self._connection.execute(_OWNERS_INVOLVING, values).scalars())
        for statement in _PART if owners else ():
            self._connection.execute(statement, values)
        return owners

    def owners(self, owners: Sequence[str], nodes: Sequence[str]) -> list[tuple[str, str, str]]:
        """Owner, node and configuration of the nodes with these names that some of these owners have."""
        table = pubsub_node
        found = []
        for start in range(0, len(owners), CHUNK):
            query = select(table.c.owner, table.c.node, table.c.config).where(
                table.c.owner.in_(owners[start : start + CHUNK]), table.c.node.in_(nodes[:CHUNK])
            )
            found += [(row.owner, row.node, row.config) for row in self._connection.execute(query)]
        return found

    # -- items

    def publish(
        self, owner: str, node: str, item: str, publisher: str, stamp: float, payload: str, *, keep: int
    ) -> list[str]:
        """Put an item at the end, in place of one with its id. The ids of those that went, so that `keep` are left."""
        row: dict[str, Any] = {
            "owner": owner,
            "node": node,
            "item": item,
            "publisher": publisher,
            "stamp": stamp,
            "size": len(payload.encode()),
            "payload": payload,
        }
        self._connection.execute(_PUBLISH, row)
        return self.trim(owner, node, keep)

    def trim(self, owner: str, node: str, keep: int) -> list[str]:
        """Delete the oldest items, so that `keep` are left; their ids."""
        excess = self.count(owner, node) - keep
        if excess <= 0:
            return []
        table = pubsub_item
        oldest = select(table.c.item).where(*_of(table, owner, node)).order_by(table.c.position).limit(excess)
        gone = list(self._connection.execute(oldest).scalars())
        self._retract(owner, node, gone)
        return gone

    def retract(self, owner: str, node: str, item: str) -> bool:
        """Whether it was there."""
        return self._retract(owner, node, [item]) > 0

    def purge(self, owner: str, node: str) -> None:
        self._connection.execute(delete(pubsub_item).where(*_of(pubsub_item, owner, node)))

    def expire(self, owner: str, node: str, before: float) -> None:
        """Delete the items that were published earlier."""
        self._connection.execute(delete(pubsub_item).where(*_of(pubsub_item, owner, node), _columns.stamp < before))

    def _retract(self, owner: str, node: str, items: Sequence[str]) -> int:
        table = pubsub_item
        count = 0
        for start in range(0, len(items), CHUNK):
            where = (*_of(table, owner, node), table.c.item.in_(items[start : start + CHUNK]))
            count += self._connection.execute(delete(table).where(*where)).rowcount
        return count

    def items(
        self,
        owner: str,
        node: str,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        newest: bool = False,
        skip: int = 0,
        since: float | None = None,
    ) -> list[StoredItem]:
        """Items with positions between `after` and `before` (neither included), published at `since` or later, less the
        first `skip`: the oldest of them, or with `newest` the newest. Oldest first either way."""
        query = select(*_FIELDS).where(*_of(pubsub_item, owner, node), *_since(since))
        query = query.limit(limit).offset(skip or None)
        if after is not None:
            query = query.where(_columns.position > after)
        if before is not None:
            query = query.where(_columns.position < before)
        query = query.order_by(_columns.position.desc() if newest else _columns.position)
        found = [StoredItem(*row) for row in self._connection.execute(query)]
        if newest:
            found.reverse()
        return found

    def find(self, owner: str, node: str, items: Iterable[str], *, since: float | None = None) -> list[StoredItem]:
        """The items with these ids that were published at `since` or later, oldest first."""
        wanted = list(items)
        found: list[StoredItem] = []
        for start in range(0, len(wanted), CHUNK):
            where = (*_of(pubsub_item, owner, node), _columns.item.in_(wanted[start : start + CHUNK]), *_since(since))
            found += [StoredItem(*row) for row in self._connection.execute(select(*_FIELDS).where(*where))]
        return sorted(found, key=lambda one: one.position)

    def count(self, owner: str, node: str, *, before: int | None = None, since: float | None = None) -> int:
        """How many items there are, or how many of them stand before a position, published at `since` or later."""
        if before is since is None:
            return int(self._connection.execute(_COUNT, {"owner": owner, "node": node}).scalar_one())
        query = select(func.count()).select_from(pubsub_item).where(*_of(pubsub_item, owner, node), *_since(since))
        if before is not None:
            query = query.where(_columns.position < before)
        return self._connection.execute(query).scalar_one()

    def ids(self, owner: str, node: str, *, limit: int, since: float | None = None) -> list[str]:
        """The ids of the newest items, published at `since` or later, oldest first."""
        query = select(_columns.item).where(*_of(pubsub_item, owner, node), *_since(since))
        query = query.order_by(_columns.position.desc())
        return list(self._connection.execute(query.limit(limit)).scalars())[::-1]

    def last(self, owner: str, nodes: Iterable[str]) -> list[StoredItem]:
        """The newest item of each of these nodes that has any."""
        asked = [{"owner": owner, "node": node} for node in nodes]
        return [StoredItem(*row) for one in asked for row in self._connection.execute(_LAST, one)]

    def size(self, owner: str) -> int:
        """Bytes of the payloads of all its items, with `OVERHEAD` for each item."""
        return int(self._connection.execute(_SIZE, {"owner": owner}).scalar_one())

    def forget(self, owner: str) -> None:
        """Delete everything that the service has."""
        for statement in _FORGET:
            self._connection.execute(statement, {"owner": owner})


class PubSub:
    """Publish-subscribe of all services. Writes are operations for `Store.submit` that use `within`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def within(self, connection: Connection) -> PubSubRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return PubSubRows(connection)

    def nodes(self, owner: str) -> Awaitable[list[StoredNode]]:
        return self._store.read(lambda connection: PubSubRows(connection).nodes(owner))

    def owners(self, owners: Sequence[str], nodes: Sequence[str]) -> Awaitable[list[tuple[str, str, str]]]:
        """Owner, node and configuration of the nodes with these names that some of these owners have."""
        return self._store.read(lambda connection: PubSubRows(connection).owners(owners, nodes))

    def find(self, owner: str, node: str, items: Iterable[str]) -> Awaitable[list[StoredItem]]:
        """The items with these ids, oldest first."""
        return self._store.read(lambda connection: PubSubRows(connection).find(owner, node, items))

    def newest(self, owner: str, node: str, limit: int) -> Awaitable[list[StoredItem]]:
        """The last items, oldest first."""
        return self._store.read(lambda connection: PubSubRows(connection).items(owner, node, limit=limit, newest=True))

    def last(self, owner: str, nodes: Iterable[str]) -> Awaitable[list[StoredItem]]:
        """The newest item of each of these nodes that has any."""
        names = list(nodes)
        return self._store.read(lambda connection: PubSubRows(connection).last(owner, names))


def _since(stamp: float | None) -> tuple[ColumnElement[bool], ...]:
    return () if stamp is None else (_columns.stamp >= stamp,)


def _of(table: Table, owner: str, node: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.owner == owner, table.c.node == node
