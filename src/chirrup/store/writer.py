"""The writing half of group commit: what is queued becomes one transaction and one flush to the disk.

`Writer` belongs to one thread. An item of a group is a tuple `(function, row, size, future)`, of which it uses the
first two: with an `Alone` as row, `function(connection)` is called for this item; otherwise neighbours with the same
function are stored together by `function(connection, rows)`, which returns one result for each row.

A function may be called more than once (its group was rolled back and runs again), so all that it does, it does to the
database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from chirrup.core.errors import StoreError
from chirrup.store.database import Database

ATTEMPTS: Final = 3
"""How often a group runs when what stopped it has likely passed: a deadlock, a connection that had gone stale."""

Item = tuple[Callable[..., Any], Any, int, "asyncio.Future[Any]"]


class Alone(Enum):
    """In a row's place: a write by itself, and what becomes of it while storage fails."""

    PLAIN = 1
    """It fails."""
    PATIENT = 2
    """It is held, and tried again."""
    ORDERED = 3
    """It fails, also while storage works again but patient ones that came before it are still held."""


class Fault(Exception):  # noqa: N818 - what it carries is the error
    """A group could not be stored."""

    def __init__(self, error: StoreError, *, outside: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.outside = outside
        """Whether it is a fault of the database's surroundings, whatever was to be stored."""


class Failed:
    """The outcome of an item that raised, where its neighbours were stored."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        # A future takes every exception but this one.
        self.error = RuntimeError("StopIteration in a store operation") if isinstance(error, StopIteration) else error


class _OneRaised(Exception):  # noqa: N818 - not an error: the group runs again with its members apart
    """An item raised something that is its own affair."""


class _InCommit(Exception):  # noqa: N818
    """The commit itself failed; `__cause__` says how."""


class Writer:
    """Runs groups on one connection, which it opens when needed and replaces after every fault."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def commit(self, group: Sequence[Item]) -> list[Any]:
        """Store a group durably; returns each item's result, or `Failed` for one that raised.

        Raises Fault when the database refused: then nothing of the group is stored. (If PostgreSQL is lost while
        it commits, all of the group may be stored, or nothing.)
        """
        apart = False
        attempt = 1
        while True:
            try:
                return self._transaction(group, apart)
            except _OneRaised:
                apart = True
            except StoreError as error:
                self.close()
                raise Fault(error, outside=True) from error
            except _InCommit as commit:
                self.close()
                raise self._fault(commit.__cause__) from commit.__cause__
            except Exception as error:
                self.close()
                if attempt == ATTEMPTS or not self._database.is_passing(error):
                    raise self._fault(error) from error
                attempt += 1

    def close(self) -> None:
        """Give up the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _transaction(self, group: Sequence[Item], apart: bool) -> list[Any]:
        if self._connection is None:
            self._connection = self._database.writer.connect()
        connection = self._connection
        transaction = connection.begin()
        try:
            outcomes = self._run(connection, group, apart)
        except BaseException:
            transaction.rollback()
            raise
        try:
            transaction.commit()
        except DBAPIError as error:
            raise _InCommit from error
        return outcomes

    def _run(self, connection: Connection, group: Sequence[Item], apart: bool) -> list[Any]:
        outcomes: list[Any] = []
        for function, neighbours in groupby(group, key=itemgetter(0)):
            rows = [row for _, row, _, _ in neighbours]
            alone = type(rows[0]) is Alone
            if alone:
                calls: list[tuple[Any, ...]] = [()] * len(rows)
            elif apart:
                calls = [([row],) for row in rows]
            else:
                calls = [(rows,)]
            for arguments in calls:
                outcome = self._call(connection, function, arguments, apart)
                if alone or isinstance(outcome, Failed):
                    outcomes.append(outcome)
                else:
                    outcomes.extend(outcome)
        return outcomes

    def _call(
        self, connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...], apart: bool
    ) -> Any:
        try:
            if not apart:
                return function(connection, *arguments)
            with connection.begin_nested():
                return function(connection, *arguments)
        except BaseException as error:  # whatever an operation raises, the writer outlives it
            if self._database.fault(error) is not None:
                raise
            if apart:
                return Failed(self._database.refusal(error) or error)
            raise _OneRaised from error

    def _fault(self, error: BaseException | None) -> Fault:
        known = self._database.fault(error) if error else None
        unknown = StoreError(f"{self._database.name}: {' '.join(str(error).split())}")
        return Fault(known or unknown, outside=known is not None)
