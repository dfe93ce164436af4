"""Keys and values of an owner, by name: a roster, private XML, a block list."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, Connection, delete, text

from chirrup.store.schema import map_entry as table

if TYPE_CHECKING:
    from chirrup.store.store import Store

_PUT: Final = text(
    "INSERT INTO map_entry (owner, name, key, value) VALUES (:owner, :name, :key, :value) "
    "ON CONFLICT (owner, name, key) DO UPDATE SET value = excluded.value"
)
# Plain, since each account is read by these when it comes into memory.
_ALL: Final = text("SELECT key, value FROM map_entry WHERE owner = :owner AND name = :name ORDER BY key")
_AT_ONCE: Final = 500
"""Keys that one statement names: one for each key would hold up all other writes where they are thousands."""
_GET: Final = text("SELECT value FROM map_entry WHERE owner = :owner AND name = :name AND key = :key")


def put(connection: Connection, rows: Sequence[dict[str, str]]) -> list[None]:
    connection.execute(_PUT, rows)
    return [None] * len(rows)


class MapRows:
    """The maps of one name, within somebody's transaction."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def all(self, owner: str) -> dict[str, str]:
        """In the order of the keys."""
        found = self._connection.execute(_ALL, {"owner": owner, "name": self._name})
        return {key: value for key, value in found.all()}  # noqa: C416 - dict() takes a result for a mapping

    def get(self, owner: str, key: str) -> str | None:
        return self._connection.execute(_GET, {"owner": owner, "name": self._name, "key": key}).scalar()

    def set(self, owner: str, key: str, value: str) -> None:
        self.set_many(owner, {key: value})

    def set_many(self, owner: str, entries: Mapping[str, str]) -> None:
        if entries:
            put(self._connection, [_row(owner, self._name, key, value) for key, value in entries.items()])

    def delete(self, owner: str, keys: Iterable[str]) -> int:
        """How many there were."""
        listed = list(keys)
        return sum(
            self._connection.execute(
                delete(table).where(*self._of(owner), table.c.key.in_(listed[start : start + _AT_ONCE]))
            ).rowcount
            for start in range(0, len(listed), _AT_ONCE)
        )

    def clear(self, owner: str) -> int:
        """How many there were."""
        return self._connection.execute(delete(table).where(*self._of(owner))).rowcount

    def _of(self, owner: str) -> tuple[ColumnElement[bool], ...]:
        return table.c.owner == owner, table.c.name == self._name


class Map:
    """The maps of one name."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def within(self, connection: Connection) -> MapRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return MapRows(connection, self.name)

    def all(self, owner: str) -> Awaitable[dict[str, str]]:
        """In the order of the keys."""
        return self._store.read(lambda connection: self.within(connection).all(owner))

    def get(self, owner: str, key: str) -> Awaitable[str | None]:
        return self._store.read(lambda connection: self.within(connection).get(owner, key))

    def set(self, owner: str, key: str, value: str) -> asyncio.Future[None]:
        return self._store.submit_row(put, _row(owner, self.name, key, value), size=len(value))

    def set_many(self, owner: str, entries: Mapping[str, str]) -> asyncio.Future[None]:
        """All of them or, if it fails, none."""
        entries = dict(entries)
        size = sum(map(len, entries.values()))
        return self._store.submit(lambda connection: self.within(connection).set_many(owner, entries), size=size)

    def delete(self, owner: str, *keys: str) -> asyncio.Future[int]:
        """How many there were."""
        return self._store.submit(lambda connection: self.within(connection).delete(owner, keys))

    def clear(self, owner: str) -> asyncio.Future[int]:
        """How many there were."""
        return self._store.submit(lambda connection: self.within(connection).clear(owner))


def _row(owner: str, name: str, key: str, value: str) -> dict[str, str]:
    return {"owner": owner, "name": name, "key": key, "value": value}
