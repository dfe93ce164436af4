"""What the store needs of a database; `sqlite` and `postgresql` provide it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, Engine

from chirrup.core.errors import StoreError, StoreRefused

READERS: Final = 4
"""How many reads run at once."""


class Database(ABC):
    """One database, with an engine for the single writer and one for readers, who can't write.

    Faults become StoreErrors of one line that says what to do; everything else that a statement can raise is the
    affair of whoever wrote the statement.
    """

    name: str
    """For messages: a file's path, or a database and its server; never with a password."""
    writer: Engine
    reader: Engine

    @abstractmethod
    def prepare(self) -> None:
        """Find out whether the database can be used at all, and take the server's lock if it was asked for.

        Raises StoreError."""

    @abstractmethod
    def check_empty(self, connection: Connection) -> None:
        """Raise StoreError if a database without our schema version looks like somebody else's."""

    @abstractmethod
    def upgrading(self) -> AbstractContextManager[Connection]:
        """A transaction for migrations, alone: no other process migrates, no server runs on the old schema.

        Raises StoreLocked when that can't be had."""

    @abstractmethod
    def probe(self) -> None:
        """A cheap look at whether the data is whole; raises StoreDamaged."""

    @abstractmethod
    def fault(self, error: BaseException) -> StoreError | None:
        """The StoreError for an error of the database's surroundings (locked, full, damaged, gone), else None."""

    def refusal(self, error: BaseException) -> StoreRefused | None:
        """The StoreRefused for an error of what was to be stored, which the database can't take, else None."""
        return None

    @abstractmethod
    def is_passing(self, error: BaseException) -> bool:
        """Whether the transaction was undone by something that is likely not to happen again right away."""

    def close(self) -> None:
        """Close all connections that are not in use and let go of the server's lock."""
        self.writer.dispose()
        self.reader.dispose()
