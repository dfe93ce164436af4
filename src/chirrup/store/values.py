"""One value an owner, by name: a vCard, the roster's version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, delete, text

from chirrup.store.schema import single_value as table

if TYPE_CHECKING:
    from chirrup.store.store import Store

_PUT: Final = text(
    "INSERT INTO single_value (owner, name, value) VALUES (:owner, :name, :value) "
    "ON CONFLICT (owner, name) DO UPDATE SET value = excluded.value"
)
_GET: Final = text("SELECT value FROM single_value WHERE owner = :owner AND name = :name")


def put(connection: Connection, rows: Sequence[dict[str, str]]) -> list[None]:
    connection.execute(_PUT, rows)
    return [None] * len(rows)


class ValueRows:
    """The values of one name, within somebody's transaction."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def get(self, owner: str) -> str | None:
        return self._connection.execute(_GET, {"owner": owner, "name": self._name}).scalar()

    def set(self, owner: str, value: str) -> None:
        put(self._connection, [{"owner": owner, "name": self._name, "value": value}])

    def delete(self, owner: str) -> bool:
        """Whether there was one."""
        where = delete(table).where(table.c.owner == owner, table.c.name == self._name)
        return self._connection.execute(where).rowcount > 0


class Value:
    """The values of one name."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def within(self, connection: Connection) -> ValueRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return ValueRows(connection, self.name)

    def get(self, owner: str) -> Awaitable[str | None]:
        return self._store.read(lambda connection: self.within(connection).get(owner))

    def set(self, owner: str, value: str) -> asyncio.Future[None]:
        return self._store.submit_row(put, {"owner": owner, "name": self.name, "value": value}, size=len(value))

    def delete(self, owner: str) -> asyncio.Future[bool]:
        """Whether there was one."""
        return self._store.submit(lambda connection: self.within(connection).delete(owner))
