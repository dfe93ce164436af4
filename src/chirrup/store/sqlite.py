"""SQLite: one file, one writer, any number of readers."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from chirrup.core.errors import StoreDamaged, StoreError, StoreFull, StoreLocked
from chirrup.store.database import READERS, Database
from chirrup.store.lock import ServerLock
from chirrup.store.schema import metadata

SERVER_PATIENCE: Final = 2.0
"""Seconds that a server waits for another writer (a command, a backup) before the group fails."""
COMMAND_PATIENCE: Final = 10.0
WHOLE_CHECK: Final = 32 * 2**20
"""Files up to this size are checked whole when a server starts: some tenths of a second. Larger ones at their ends."""

WRITER_PRAGMAS: Final = (
    "synchronous = FULL",  # each commit is flushed to the disk before it returns
    "fullfsync = ON",  # the same on macOS, where a plain flush stops in the disk's cache
    "checkpoint_fullfsync = ON",
    "foreign_keys = ON",
    f"journal_size_limit = {64 * 2**20}",
)
READER_PRAGMAS: Final = ("query_only = ON",)


class SQLiteDatabase(Database):
    """A database file. `exclusive` holds it against a second server; commands may still write to it in between."""

    def __init__(self, path: Path, *, exclusive: bool) -> None:
        self.path = path.absolute()
        self.name = str(self.path)
        self._exclusive = exclusive
        self._patience = SERVER_PATIENCE if exclusive else COMMAND_PATIENCE
        self._lock = ServerLock(self.path.with_name(self.path.name + ".lock"))
        self.writer = self._engine("BEGIN IMMEDIATE", self._prepare_writer, 1)
        self.reader = self._engine("BEGIN", _prepare_reader, READERS)

    def prepare(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise StoreError(f"{folder}: no such folder: create it, or name another place for the database")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"{folder}: no permission to write: run as the folder's owner, or make it belong to the server's user"
            )
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder: name a file in it for the database")
        try:
            # A file that exists isn't opened: closing it again would drop the locks that SQLite here has on it.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            if not os.access(self.path, os.R_OK | os.W_OK):
                raise StoreError(f"{self.path}: no permission: make the file belong to the user of the server")
            if self._exclusive and not self._lock.acquire():
                raise StoreLocked(
                    f"{self.path}: another server{self._holder()} has it open: "
                    "stop that one, or give this one a database of its own"
                )
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full() from error
            raise StoreError(f"{error.filename or self.path}: {error.strerror}") from error

    def check_empty(self, connection: Connection) -> None:
        if inspect(connection).get_table_names():
            raise StoreError(f"{self.path} is another program's database: name another file")

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        borrowed = not self._lock.held
        if borrowed and not self._lock.acquire(self._patience):
            raise StoreLocked(
                f"{self.path} has the schema of an earlier version, and a server{self._holder()} is running on it: "
                "restart that server first"
            )
        try:
            with self.writer.begin() as connection:
                yield connection
        finally:
            if borrowed:
                self._lock.release()

    def probe(self) -> None:
        with self.reader.connect() as connection:
            for table in metadata.sorted_tables:
                key = table.primary_key.columns.keys()
                # As text: each is asked once, and SQLAlchemy takes 0.4 ms to make one.
                for order in "ASC", "DESC":
                    by = "ORDER BY " + ", ".join([f"{name} {order}" for name in key]) if key else ""
                    connection.exec_driver_sql(f"SELECT 1 FROM {table.name} {by} LIMIT 1")
            if self._exclusive and self.path.stat().st_size <= WHOLE_CHECK:
                found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
                if found != "ok":
                    raise self._damaged(str(found))

    def fault(self, error: BaseException) -> StoreError | None:
        original = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(original, sqlite3.Error):
            return None
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return StoreLocked(
                    f"{self.path}: another program has been writing to it for more than {self._patience:.0f} seconds"
                )
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return self._damaged(str(original))
            case sqlite3.SQLITE_FULL:
                return self._full()
            case sqlite3.SQLITE_IOERR:
                if _no_room(self.path.parent):
                    return self._full()
                return StoreError(f"{self.path}: {original}: look for faults of the disk in the system's log")
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
                return StoreError(
                    f"{self.path}: {original}: the user of the server needs to own the file, "
                    "those beside it with -wal and -shm, and the folder"
                )
        return None

    def is_passing(self, error: BaseException) -> bool:
        return False

    def close(self) -> None:
        super().close()
        self._lock.release()

    def _engine(self, begin: str, prepare: Callable[[sqlite3.Connection], None], connections: int) -> Engine:
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            connect_args={"timeout": self._patience, "check_same_thread": False},
        )

        def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # the driver begins no transactions by itself
            prepare(connection)

        def on_begin(connection: Connection) -> None:
            # Straight to the driver: SQLAlchemy would take ten times as long to say this, before each query.
            connection.connection.cursor().execute(begin)

        event.listen(engine, "connect", on_connect)
        event.listen(engine, "begin", on_begin)
        return engine

    def _prepare_writer(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{self.path}: this file system can't hold the database: put it on a local disk")
        for pragma in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    def _holder(self) -> str:
        pid = self._lock.holder()
        return f" (process {pid})" if pid else ""

    def _full(self) -> StoreFull:
        return StoreFull(f"{self.path}: no room left on the disk: free some, and storing goes on by itself")

    def _damaged(self, reason: str) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path}: {' '.join(reason.split())}: restore a backup, "
            f"or save what can be read with: sqlite3 '{self.path}' .recover"
        )


def _prepare_reader(connection: sqlite3.Connection) -> None:
    for pragma in READER_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _no_room(folder: Path) -> bool:
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False
