"""Messages of accounts as rows of the database, within somebody's transaction.

An id is the time at which the message was stored, in microseconds since 1970, moved up where that is needed to be
larger than every earlier one, whatever the clock does. It is the message's place in the archive and its time stamp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, TextClause, and_, bindparam, delete, func, not_, select, text, update

from chirrup.store import search
from chirrup.store.schema import message as table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
CHUNK: Final = 500
"""How many ids one statement names."""
_INSERT: Final = "INSERT INTO message (owner, id, peer, resource, value, archived, waiting) VALUES ({})"
_INSERTS: Final = {"sqlite": _INSERT.format("?, ?, ?, ?, ?, ?, ?"), "postgresql": _INSERT.format(", ".join(["%s"] * 7))}
_SEEN: Final = text("UPDATE message_state SET last = :last WHERE last < :last")
_FIELDS: Final = "id, peer, resource, value, archived, waiting"
# Without statistics SQLite's planner takes the primary key for everything.
_BY_PEER: Final = "message_by_peer"
_WAITING: Final = "message_waiting"
_CONDITIONS: Final = {
    "after": "id > :after",
    "before": "id < :before",
    "peer": "peer = :peer",
    "resource": "resource = :resource",
    "ids": "id IN :ids",
}
_OLD: Final = (
    "SELECT id, waiting FROM message WHERE owner = :owner AND archived = :archived AND id < :before "
    "ORDER BY id LIMIT :limit"
)
_EXCESS: Final = (
    "SELECT max(id) FROM (SELECT id, sum({} + :overhead) OVER (ORDER BY id DESC) AS total FROM message "
    "WHERE owner = :owner AND archived = :archived) AS sizes WHERE total > :most"
)
_OLDEST: Final = "SELECT id FROM message WHERE owner = :owner ORDER BY id LIMIT :limit"
_OCTETS: Final = {"sqlite": "length(CAST(value AS BLOB))", "postgresql": "octet_length(value)"}
_OVERHEAD: Final = 100
"""Octets that a message takes besides its stanza, about."""
_STATE: Final = text("SELECT last, secret FROM message_state")

Row = Sequence[Any]
"""What is stored: owner, id, peer, resource, value, archived, waiting."""


class Message(NamedTuple):
    """One message of an owner."""

    id: int
    """Microseconds since 1970; larger than those of the owner's earlier messages."""
    peer: str
    """The bare JID of the other one: whom it is from, or to if the owner has sent it."""
    resource: str
    """The resource of the other one; empty where its address is bare."""
    value: str
    """The stanza as XML text, where `jabber:client` is the default namespace."""
    archived: bool
    waiting: bool
    """Whether it still has to be delivered to the owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which messages of an archive are meant: those to which all of this applies. `None` says nothing."""

    after: int | None = None
    before: int | None = None
    """Ids between which theirs are; neither is included."""
    peer: str | None = None
    resource: str | None = None
    ids: tuple[int, ...] | None = None
    text: str | None = None
    """Words that their text has; as far as it was indexed by `index`."""


def add(connection: Connection, rows: Sequence[Row], again: bool) -> None:
    """`again`: they may have been stored before."""
    if wanted := [tuple(row) for row in rows if row[5] or row[6]]:
        insert = _INSERTS[connection.dialect.name]
        connection.exec_driver_sql(f"{insert} ON CONFLICT (owner, id) DO NOTHING" if again else insert, wanted)
        connection.execute(_SEEN, {"last": wanted[-1][1]})


class MessageRows:
    """Messages, within somebody's transaction. Methods as in `Messages`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def waiting(self, owner: str, *, after: int, limit: int) -> list[Message]:
        where = "owner = :owner AND waiting AND id > :after ORDER BY id LIMIT :limit"
        return self._messages(where, _WAITING, {"owner": owner, "after": after, "limit": limit})

    def count_waiting(self, owner: str) -> int:
        return self._count("owner = :owner AND waiting", _WAITING, {"owner": owner})

    def waiting_in_archive(self, owner: str) -> list[int]:
        """The ids of what waits and is in the archive too."""
        query = f"SELECT id FROM {self._table(_WAITING)} WHERE owner = :owner AND waiting AND archived ORDER BY id"
        return list(self._connection.execute(_statement(query), {"owner": owner}).scalars())

    def page(
        self, owner: str, which: Range, *, limit: int, newest: bool = False, octets: int | None = None
    ) -> list[Message]:
        where, values = self._where(owner, which)
        index = "" if which.peer is None else _BY_PEER
        order = "ORDER BY id DESC" if newest else "ORDER BY id"
        found = self._messages(f"{where} {order} LIMIT :limit", index, {**values, "limit": limit}, octets)
        if newest:
            found.reverse()
        return found

    def count(self, owner: str, which: Range, *, up_to: int) -> int | None:
        where, values = self._where(owner, which)
        index = _BY_PEER if which.peer is not None or which == Range() else ""
        found = self._count(f"{where} LIMIT :limit", index, {**values, "limit": up_to + 1})
        return found if found <= up_to else None

    def ends(self, owner: str) -> tuple[int | None, int | None]:
        """The ids of the first and the last message in the archive."""
        ends = []
        for newest in (False, True):
            found = self.page(owner, Range(), limit=1, newest=newest)
            ends.append(found[0].id if found else None)
        return ends[0], ends[1]

    def missing(self, owner: str, ids: Iterable[int]) -> bool:
        wanted = set(ids)
        numbers = iter(wanted)
        found = 0
        while chunk := list(islice(numbers, CHUNK)):
            query = select(func.count()).select_from(table).where(*_archive(owner), table.c.id.in_(chunk))
            found += self._connection.execute(query).scalar_one()
        return found != len(wanted)

    def index(self, owner: str) -> bool:
        return search.index(self._connection, owner)

    def expire(self, owner: str, before: int, *, limit: int) -> int:
        values = {"owner": owner, "archived": True, "before": before, "limit": min(limit, CHUNK)}
        rows = self._connection.execute(_statement(_OLD), values).all()
        gone = [row.id for row in rows]
        if gone:
            search.remove(self._connection, owner, gone)
            these = and_(table.c.owner == owner, table.c.id.in_(gone))
            self._connection.execute(delete(table).where(these, not_(table.c.waiting)))
            if any(row.waiting for row in rows):
                self._connection.execute(update(table).where(these).values(archived=False))
        return len(gone)

    def expire_of(self, owners: Iterable[str], before: int, *, limit: int) -> int:
        count = 0
        for owner in owners:
            if count < limit:
                count += self.expire(owner, before, limit=limit - count)
        return count

    def clear(self, owner: str, *, limit: int) -> int:
        query = _statement(_OLDEST)
        gone = list(self._connection.execute(query, {"owner": owner, "limit": limit}).scalars())
        if gone:
            search.remove(self._connection, owner, gone)
            self._connection.execute(delete(table).where(table.c.owner == owner, table.c.id <= gone[-1]))
        return len(gone)

    def excess(self, owner: str, most: int) -> int | None:
        query = _EXCESS.format(_OCTETS[self._connection.dialect.name])
        values = {"owner": owner, "archived": True, "overhead": _OVERHEAD, "most": most}
        found: int | None = self._connection.execute(_statement(query), values).scalar()
        return found

    def owners(self, *, after: str, limit: int) -> list[str]:
        found: list[str] = []
        while len(found) < limit:  # a look-up for each, as neither database would skip an owner's messages by itself
            query = _statement("SELECT owner FROM message WHERE owner > :after ORDER BY owner LIMIT 1")
            owner = self._connection.execute(query, {"after": found[-1] if found else after}).scalar()
            if owner is None:
                break
            found.append(owner)
        return found

    def aged(self, owners: Iterable[str], before: int) -> list[str]:
        values = {"archived": True, "before": before, "limit": 1}
        old = _statement(_OLD)
        return [owner for owner in owners if self._connection.execute(old, {"owner": owner, **values}).first()]

    def delivered(self, owner: str, ids: Iterable[int]) -> int:
        numbers = iter(ids)
        count = 0
        while chunk := list(islice(numbers, CHUNK)):
            these = and_(table.c.owner == owner, table.c.id.in_(chunk), table.c.waiting)
            count += self._connection.execute(delete(table).where(these, not_(table.c.archived))).rowcount
            count += self._connection.execute(update(table).where(these).values(waiting=False)).rowcount
        return count

    def bring_in(self, owner: str, messages: Sequence[Message]) -> int:
        """Store messages that come from elsewhere, with ascending ids, which are those of the time they are from. How
        many are new: one that is there already with its very text is the same one, and any other that has its id makes
        it take the next.

        The index of words knows nothing of them; `forget_index` before."""
        known = self._between(owner, messages[0].id - 1, messages[-1].id + CHUNK + len(messages))
        taken = {message.id: message for message in known}
        new = []
        for message in messages:
            number = message.id
            while number in taken and taken[number].value != message.value:
                number += 1
            if number not in taken:
                taken[number] = message = message._replace(id=number)
                new.append((owner, *message))
            elif (message.archived, message.waiting) != taken[number][-2:]:
                old = taken[number]
                flags = {"archived": message.archived or old.archived, "waiting": message.waiting or old.waiting}
                these = update(table).where(table.c.owner == owner, table.c.id == number)
                self._connection.execute(these.values(**flags))
        if new:
            self._connection.exec_driver_sql(_INSERTS[self._connection.dialect.name], new)
            self._connection.execute(_SEEN, {"last": max(row[1] for row in new)})
        return len(new)

    def forget_index(self, owner: str) -> None:
        """Have an archive indexed anew when it is next searched."""
        search.forget(self._connection, owner)

    def _between(self, owner: str, after: int, before: int) -> list[Message]:
        values = {"owner": owner, "after": after, "before": before}
        return self._messages("owner = :owner AND id > :after AND id < :before", "", values)

    def wait_again(self, owner: str, number: int) -> bool:
        where = update(table).where(table.c.owner == owner, table.c.id == number, not_(table.c.waiting))
        return self._connection.execute(where.values(waiting=True)).rowcount > 0

    def _where(self, owner: str, which: Range) -> tuple[str, dict[str, Any]]:
        """The condition in SQL, and its values."""
        values = {name: value for name in _CONDITIONS if (value := getattr(which, name)) is not None}
        where = ["owner = :owner AND archived = :archived", *[_CONDITIONS[name] for name in values]]
        if which.text is not None:
            condition, wanted = search.condition(self._connection.dialect.name, owner, which.text)
            where.append(condition)
            values.update(wanted)
        return " AND ".join(where), {"owner": owner, "archived": True, **values}

    def _messages(self, where: str, index: str, values: dict[str, Any], octets: int | None = None) -> list[Message]:
        statement = _statement(f"SELECT {_FIELDS} FROM {self._table(index)} WHERE {where}")
        if octets is None:
            return [Message(*row) for row in self._connection.execute(statement, values)]
        found: list[Message] = []
        if values["limit"] >= CHUNK:  # PostgreSQL sends all at once without, and takes more ways there and back with it
            statement = statement.execution_options(stream_results=True)
        with self._connection.execute(statement, values) as rows:
            for row in rows:
                found.append(Message(*row))
                octets -= len(row.value)
                if octets < 0 and len(found) > 1:
                    break
        return found

    def _count(self, where: str, index: str, values: dict[str, Any]) -> int:
        query = f"SELECT count(*) FROM (SELECT 1 FROM {self._table(index)} WHERE {where}) AS found"
        found: int = self._connection.execute(_statement(query), values).scalar_one()
        return found

    def _table(self, index: str) -> str:
        return f"message INDEXED BY {index}" if index and self._connection.dialect.name == "sqlite" else "message"


def moment_of(number: int) -> datetime:
    """When a message with that id was stored."""
    return _EPOCH + timedelta(microseconds=number)


def first_id_of(moment: datetime) -> int:
    """The smallest id that a message stored at that moment can have."""
    return (moment - _EPOCH) // _MICROSECOND


def read_state(connection: Connection) -> tuple[int, bytes]:
    """What `Messages` needs to begin with: the last id, and the key of uids."""
    last, secret = connection.execute(_STATE).one()
    return last, bytes(secret)


def _archive(owner: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.owner == owner, table.c.archived


@cache
def _statement(query: str) -> TextClause:
    statement = text(query)
    return statement.bindparams(bindparam("ids", expanding=True)) if ":ids" in query else statement
