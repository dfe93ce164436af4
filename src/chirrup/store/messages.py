"""Messages of accounts: what is in their archive, and what waits for them. A message that is both is stored once.

An id is the time at which the message was stored, in microseconds since 1970, moved up where that is needed to be
larger than every earlier one, whatever the clock does. It is the message's place in the archive and its time stamp.
What others are told in its place is a `uid`, from which only this store can tell the id again (XEP-0359 §6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, TextClause, and_, bindparam, delete, func, not_, select, text, update

from chirrup.core.record import record
from chirrup.store import search
from chirrup.store.schema import message as table
from chirrup.store.thread import Joined
from chirrup.store.uids import Uids

if TYPE_CHECKING:
    from chirrup.store.store import Store

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ALL: Final = 10**9
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


class Messages:
    """The messages of all accounts. `owner` is a bare JID."""

    def __init__(self, store: Store, last: int, secret: bytes) -> None:
        self._store = store
        self._last = last
        self._indexing = asyncio.Lock()
        uids = Uids(secret)
        self.uid: Callable[[int], str] = uids.uid
        """What others are told in an id's place."""
        self.id_of: Callable[[str], int | None] = uids.id_of
        """The id of which somebody was told this; None if it is of no message."""

    def within(self, connection: Connection) -> MessageRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return MessageRows(connection)

    def next_id(self, now: float) -> int:
        """A new message's; `now` in seconds since 1970."""
        number = self._last = max(int(now * 1_000_000), self._last + 1)
        return number

    def add(self, row: Row, *, patient: bool = False) -> asyncio.Future[None]:
        """Store a message whose id is new. Those added in one turn of the loop, `patient` or not, share a future, and
        are stored as they are when it ends: not at all, if they are neither archived nor waiting then.

        Where it is patient it is held while storage fails, and stored when that works again."""
        return self._store.join_row(add, row, size=len(row[4]), patient=patient)

    def adding(self, *, patient: bool = False) -> asyncio.Future[None] | None:
        """The future of those added in this turn of the loop, if there are any."""
        return self._store.joining(add, patient=patient)

    async def waiting(self, owner: str, *, after: int = 0, limit: int) -> list[Message]:
        """The oldest of what waits, with ids larger than `after`; also what is held while storage fails."""
        if self._store.pending:
            await self._store.settled()
        unwritten = _Unwritten(self._store.held(), owner) if self._store.holding else None

        def query(connection: Connection) -> list[Message]:
            rows = MessageRows(connection)
            if unwritten is None:
                return rows.waiting(owner, after=after, limit=limit)
            return unwritten.waiting(rows, after=after, limit=limit)

        return await self._store.read(query)

    async def unstored(self, owner: str) -> list[int]:
        """Ids of what an archive lacks while storage fails, as it is held; all writes made so far are settled then."""
        if self._store.pending:
            await self._store.settled()
        writes = (write for write in self._store.held() if isinstance(write, Joined)) if self._store.holding else ()
        return [row[1] for write in writes for row in write.rows if row[0] == owner and row[5]]

    async def count_waiting(self, owner: str) -> int:
        if self._store.holding:
            return len(await self.waiting(owner, limit=_ALL))
        return await self._store.read(lambda connection: MessageRows(connection).count_waiting(owner))

    def page(
        self, owner: str, which: Range, *, limit: int, newest: bool = False, octets: int | None = None
    ) -> Awaitable[list[Message]]:
        """Up to `limit` messages of the archive, the oldest or the newest of those in range. Ascending either way.

        No more are read once they have more than so many `octets`, or characters; but two, if there are two."""
        return self._store.read(
            lambda connection: MessageRows(connection).page(owner, which, limit=limit, newest=newest, octets=octets)
        )

    def count(self, owner: str, which: Range, *, up_to: int) -> Awaitable[int | None]:
        """How many there are in the archive; None if they are more than `up_to`, which bounds what this costs."""
        return self._store.read(lambda connection: MessageRows(connection).count(owner, which, up_to=up_to))

    async def index(self, owner: str) -> bool:
        """Make some more of an archive searchable; whether all of it is now. However many ask for that, it is done for
        one after the other, between whatever else is to be written."""
        async with self._indexing:
            return await self._store.submit(lambda connection: MessageRows(connection).index(owner))

    def expire(self, owner: str, before: int, *, limit: int = CHUNK) -> asyncio.Future[int]:
        """Take the oldest messages with ids less than `before` out of an archive, at most `limit` or `CHUNK` at a time
        so that others' writes aren't held up. How many; those that wait still do."""
        return self._store.submit(lambda connection: MessageRows(connection).expire(owner, before, limit=limit))

    def expire_of(self, owners: Sequence[str], before: int, *, limit: int = CHUNK) -> asyncio.Future[int]:
        """As `expire`, for the archives of several: `limit` is for all of them together."""
        return self._store.submit(lambda connection: MessageRows(connection).expire_of(owners, before, limit=limit))

    async def clear(self, owner: str) -> None:
        """Delete what there is of an owner's, what waits too, some hundred at a time so that others' writes aren't held
        up."""
        while await self._store.submit(lambda found: MessageRows(found).clear(owner, limit=CHUNK)) == CHUNK:
            pass

    def excess(self, owner: str, most: int) -> Awaitable[int | None]:
        """The newest message up to which an archive has to go if it may have so many octets; None if it has less."""
        return self._store.read_in_turn(lambda connection: MessageRows(connection).excess(owner, most), owner=owner)

    def owners(self, *, after: str = "", limit: int = 1000) -> Awaitable[list[str]]:
        """A page of those who have messages, by code point."""
        return self._store.read(lambda connection: MessageRows(connection).owners(after=after, limit=limit))

    def aged(self, owners: Sequence[str], before: int) -> Awaitable[list[str]]:
        """Those of them whose archives have messages with ids less than `before`."""
        return self._store.read(lambda connection: MessageRows(connection).aged(owners, before))

    def delivered(self, owner: str, ids: Iterable[int]) -> asyncio.Future[int]:
        """These don't wait any more: forget those that aren't archived. How many did wait. Held while storage fails."""
        return self._store.submit_patiently(_Delivered(owner, list(ids)))

    def wait_again(self, owner: str, number: int) -> asyncio.Future[bool]:
        """A message has to be delivered after all; whether it is there, and didn't wait already. Held while storage
        fails."""
        return self._store.submit_patiently(_WaitAgain(owner, number))


@record
class _Delivered:
    owner: str
    ids: Sequence[int]

    def __call__(self, connection: Connection) -> int:
        return MessageRows(connection).delivered(self.owner, self.ids)


@record
class _WaitAgain:
    owner: str
    number: int

    def __call__(self, connection: Connection) -> bool:
        return MessageRows(connection).wait_again(self.owner, self.number)


class _Unwritten:
    """What becomes of an owner's waiting messages by the writes that are held while storage fails."""

    def __init__(self, held: Iterable[Callable[..., Any]], owner: str) -> None:
        self._owner = owner
        self._new: dict[int, Message] = {}
        self._again: list[int] = []
        self._gone: set[int] = set()
        archived: dict[int, Message] = {}
        for write in held:
            if isinstance(write, Joined):
                for message in (Message(*row[1:]) for row in write.rows if row[0] == owner):
                    (self._new if message.waiting else archived)[message.id] = message
            elif isinstance(write, _WaitAgain) and write.owner == owner:
                if write.number in archived:
                    self._new[write.number] = archived[write.number]
                else:
                    self._again.append(write.number)
            elif isinstance(write, _Delivered) and write.owner == owner:
                self._gone.update(write.ids)

    def waiting(self, rows: MessageRows, *, after: int, limit: int) -> list[Message]:
        """As `MessageRows.waiting`, as if they were written."""
        found = rows.waiting(self._owner, after=after, limit=limit + len(self._gone))
        for start in range(0, len(self._again), CHUNK):
            again = Range(ids=tuple(self._again[start : start + CHUNK]))
            found += rows.page(self._owner, again, limit=CHUNK)
        ids = {message.id: message for message in (*found, *self._new.values())}
        return [ids[number] for number in sorted(ids) if number > after and number not in self._gone][:limit]


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
