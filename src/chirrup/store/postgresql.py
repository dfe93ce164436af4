"""PostgreSQL, through psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from chirrup.core.errors import StoreDamaged, StoreError, StoreFull, StoreLocked, StoreRefused, StoreUnavailable
from chirrup.store.database import READERS, Database

LOCK: Final = 0x43686972727570
"""The advisory lock, in this database, of an exclusive server or a migration."""

PATIENCE: Final = 10
"""Seconds that a migration waits for that lock."""
SERVER_PATIENCE: Final = 2
"""Seconds that a server waits for it: a connection that it closed just now may still hold it."""

CONNECTING: Final = {
    "connect_timeout": 5,
    # A server that is gone without a word is noticed within about half a minute.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "chirrup",
}
"""Connection parameters, in seconds and milliseconds, where the URL says nothing else."""

LOCK_PATIENCE: Final = 5
"""Seconds that a statement waits for what another program has locked: everything else waits behind it."""
QUERY_PATIENCE: Final = 30
"""Seconds that a query may take: there are only so many at once, and log-ins need them too."""

COLLISIONS: Final = {"40001", "40P01"}  # serialization failure, deadlock: PostgreSQL undid the transaction


class PostgreSQLDatabase(Database):
    """A database on a server. `exclusive` holds it, by an advisory lock of the writer's connection, against a second
    server that asks for the same; where several nodes share it, none of them is exclusive."""

    def __init__(self, url: URL, *, exclusive: bool) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self.name = f"PostgreSQL database {url.database or url.username} at {url.host or _query_host(url)}"
        self._exclusive = exclusive
        parameters = {key: value for key, value in CONNECTING.items() if key not in url.query}
        self.writer = create_engine(
            self._url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args=parameters,
            hide_parameters=True,
            # Whatever this database's default: a commit can't be undone by what others do meanwhile.
            execution_options={"isolation_level": "READ COMMITTED"},
        )
        self.reader = create_engine(
            self._url,
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=0,
            connect_args=parameters,
            hide_parameters=True,
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        )
        event.listen(self.writer, "connect", self._prepare_writer)
        event.listen(self.reader, "connect", _prepare_reader)

    def prepare(self) -> None:
        with self.writer.connect() as connection:
            encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            raise StoreError(f"{self.name} has encoding {encoding}: create one with: createdb -E UTF8 -T template0")

    def check_empty(self, connection: Connection) -> None:
        """Other programs' tables don't disturb: where names collide, the migration fails and is undone."""

    @contextmanager
    def upgrading(self) -> Iterator[Connection]:
        with self.writer.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
            try:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            except DBAPIError as error:
                if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                    raise StoreLocked(f"{self.name}: a server runs on it, or a command works on its schema") from error
                raise
            yield connection

    def probe(self) -> None:
        """PostgreSQL looks after its own files."""

    def fault(self, error: BaseException) -> StoreError | None:
        original = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(original, psycopg.Error):
            return None
        reason = _reason(original)
        state = original.sqlstate or ""
        match state[:2], state:
            case "53", "53100":
                return StoreFull(f"{self.name}: no room left on its disk: free some, and storing goes on by itself")
            case _, "55P03":
                return StoreLocked(f"{self.name}: another program has locked what is needed: {reason}")
            case _, "57014":
                return StoreError(f"{self.name}: {reason}: is it too slow, or is there too much to do?")
            case "40", _:
                return StoreLocked(f"{self.name}: other writers keep getting in the way: {reason}")
            case _, "XX001" | "XX002":
                return StoreDamaged(f"{self.name}: {reason}: restore a backup")
            case _, "25006":
                return StoreUnavailable(f"{self.name} can't be written to (a standby?): {reason}")
            case _, "42501":
                return StoreError(f"{self.name}: {reason}: make its user the owner of the database")
            case "08" | "28" | "3D" | "53" | "57" | "58", _:
                return self._unavailable(reason)
        if self._lost(error) or (isinstance(original, psycopg.OperationalError) and not state):
            return self._unavailable(reason)
        return None

    def refusal(self, error: BaseException) -> StoreRefused | None:
        original = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(original, psycopg.errors.ProgramLimitExceeded):  # keys have at most 2,704 octets in an index
            return StoreRefused(f"{self.name}: {_reason(original)}")
        return None

    def is_passing(self, error: BaseException) -> bool:
        return isinstance(error, DBAPIError) and (
            self._lost(error) or getattr(error.orig, "sqlstate", None) in COLLISIONS
        )

    def _lost(self, error: BaseException) -> bool:
        """Whether an established connection broke."""
        return isinstance(error, DBAPIError) and error.connection_invalidated

    def _unavailable(self, reason: str) -> StoreUnavailable:
        if "password" in reason or "role" in reason:
            advice = "check user and password in the database's URL"
        elif "does not exist" in reason:
            advice = f"create it with: createdb -E UTF8 -T template0 {self._url.database}"
        else:
            advice = "is the server running, and the URL right?"
        return StoreUnavailable(f"{self.name}: {reason}: {advice}")

    def _prepare_writer(self, connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            # "Committed" means on the disk, whatever this database's default.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            cursor.execute(f"SET lock_timeout = '{LOCK_PATIENCE}s'")
            cursor.execute("SET statement_timeout = 0")  # what is long is a migration
            if self._exclusive:
                # The lock goes with the connection; so the server must notice soon when we are gone.
                for parameter, value in ("idle", 15), ("interval", 5), ("count", 3):
                    cursor.execute(f"SET tcp_keepalives_{parameter} = {value}")
                cursor.execute(f"SET LOCAL lock_timeout = '{SERVER_PATIENCE}s'")
                try:
                    cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
                except psycopg.errors.LockNotAvailable as error:
                    connection.close()
                    raise StoreLocked(
                        f"{self.name}: another server has it open: "
                        "stop that one, or give this one a database of its own"
                    ) from error
        connection.commit()


def _prepare_reader(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_PATIENCE}s'")
        cursor.execute(f"SET statement_timeout = '{QUERY_PATIENCE}s'")
    connection.commit()


def _query_host(url: URL) -> str:
    host = url.query.get("host", "this machine")
    return host if isinstance(host, str) else ", ".join(host)


def _reason(error: psycopg.Error) -> str:
    """The part of psycopg's text that says what happened, on one line."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return " ".join(first.rsplit("failed: ", 1)[-1].split()).rstrip(":.")
