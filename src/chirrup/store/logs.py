"""Entries of an owner in the order they came, by name, for modules that keep some. Accounts' messages are elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text

from chirrup.store.schema import log_entry as table

if TYPE_CHECKING:
    from chirrup.store.store import Store

CHUNK: Final = 500
"""How many ids one statement names."""

_FIELDS: Final = (table.c.id, table.c.stamp, table.c.value, table.c.peer, table.c.entry_id)
_COUNT_ON: Final = text("UPDATE log_sequence SET last = last + :count")
_LAST: Final = text("SELECT last FROM log_sequence")
_INSERT: Final = insert(table)


class Entry(NamedTuple):
    """One entry of a log."""

    id: int
    """Larger than those of all entries committed before."""
    stamp: float
    """Seconds since 1970."""
    value: str
    peer: str
    """With whom, for logs that are read by it; else empty."""
    entry_id: str
    """The name that whoever appended it gave it, unique in the owner's log; else empty."""


def append(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Append rows of `_row`; their ids, in order."""
    connection.execute(_COUNT_ON, {"count": len(rows)})
    last: int = connection.execute(_LAST).scalar_one()
    ids = list(range(last - len(rows) + 1, last + 1))
    for row, number in zip(rows, ids, strict=True):
        row["id"] = number
    connection.execute(_INSERT, rows)
    return ids


class LogRows:
    """The logs of one name, within somebody's transaction. Methods as in `Log`."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def append(self, owner: str, value: str, *, stamp: float, peer: str = "", entry_id: str = "") -> int:
        return append(self._connection, [_row(owner, self._name, value, stamp, peer, entry_id)])[0]

    def read(
        self,
        owner: str,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        peer: str | None = None,
        newest: bool = False,
    ) -> list[Entry]:
        query = select(*_FIELDS).where(*self._of(owner)).limit(limit)
        if after is not None:
            query = query.where(table.c.id > after)
        if before is not None:
            query = query.where(table.c.id < before)
        if peer is not None:
            query = query.where(table.c.peer == peer)
        query = query.order_by(table.c.id.desc() if newest else table.c.id)
        entries = [_entry(*row) for row in self._connection.execute(query)]
        if newest:
            entries.reverse()
        return entries

    def find(self, owner: str, entry_id: str) -> Entry | None:
        query = select(*_FIELDS).where(*self._of(owner), table.c.entry_id == entry_id)
        row = self._connection.execute(query).first()
        return None if row is None else _entry(*row)

    def count(self, owner: str) -> int:
        query = select(func.count()).select_from(table).where(*self._of(owner))
        return self._connection.execute(query).scalar_one()

    def delete(self, owner: str, ids: Iterable[int]) -> int:
        numbers = iter(ids)
        deleted = 0
        while chunk := list(islice(numbers, CHUNK)):
            where = delete(table).where(*self._of(owner), table.c.id.in_(chunk))
            deleted += self._connection.execute(where).rowcount
        return deleted

    def delete_up_to(self, owner: str, last: int) -> int:
        return self._connection.execute(delete(table).where(*self._of(owner), table.c.id <= last)).rowcount

    def clear(self, owner: str) -> int:
        return self._connection.execute(delete(table).where(*self._of(owner))).rowcount

    def expire(self, before: float, *, limit: int) -> int:
        old = select(table.c.id).where(table.c.name == self._name, table.c.stamp < before)
        oldest = old.order_by(table.c.stamp).limit(limit)
        return self._connection.execute(delete(table).where(table.c.id.in_(oldest))).rowcount

    def _of(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        return table.c.owner == owner, table.c.name == self._name


class Log:
    """The logs of one name. What deletes, tells how many there were."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def within(self, connection: Connection) -> LogRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return LogRows(connection, self.name)

    def append(
        self, owner: str, value: str, *, stamp: float, peer: str = "", entry_id: str = ""
    ) -> asyncio.Future[int]:
        """The entry's id. `stamp` in seconds since 1970; an `entry_id` must be new in this owner's log."""
        row = _row(owner, self.name, value, stamp, peer, entry_id)
        return self._store.submit_row(append, row, size=len(value))

    def read(
        self,
        owner: str,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        peer: str | None = None,
        newest: bool = False,
    ) -> Awaitable[list[Entry]]:
        """Up to `limit` entries with ids between `after` and `before` (neither included), of one peer or of all: the
        oldest of them, or with `newest` the newest. Ascending either way."""
        return self._store.read(
            lambda connection: self.within(connection).read(
                owner, limit=limit, after=after, before=before, peer=peer, newest=newest
            )
        )

    def find(self, owner: str, entry_id: str) -> Awaitable[Entry | None]:
        """The entry that was given this name."""
        return self._store.read(lambda connection: self.within(connection).find(owner, entry_id))

    def count(self, owner: str) -> Awaitable[int]:
        return self._store.read(lambda connection: self.within(connection).count(owner))

    def delete(self, owner: str, ids: Iterable[int]) -> asyncio.Future[int]:
        numbers = list(ids)
        return self._store.submit(lambda connection: self.within(connection).delete(owner, numbers))

    def delete_up_to(self, owner: str, last: int) -> asyncio.Future[int]:
        """All up to and with that id."""
        return self._store.submit(lambda connection: self.within(connection).delete_up_to(owner, last))

    def clear(self, owner: str) -> asyncio.Future[int]:
        return self._store.submit(lambda connection: self.within(connection).clear(owner))

    def expire(self, before: float, *, limit: int = 1000) -> asyncio.Future[int]:
        """Delete what is stamped earlier, of all owners. At most `limit` at a time, so that others' writes aren't held
        up; there may be more when the answer is `limit`."""
        return self._store.submit(lambda connection: self.within(connection).expire(before, limit=limit))


def _row(owner: str, name: str, value: str, stamp: float, peer: str, entry_id: str) -> dict[str, Any]:
    return {
        "owner": owner,
        "name": name,
        "peer": peer or None,
        "entry_id": entry_id or None,
        "stamp": stamp,
        "value": value,
    }


def _entry(number: int, stamp: float, value: str, peer: str | None, entry_id: str | None) -> Entry:
    return Entry(number, stamp, value, peer or "", entry_id or "")
