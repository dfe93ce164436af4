"""Bringing a database's schema to this program's version."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from chirrup.core.errors import SchemaTooNew, StoreError
from chirrup.store.database import Database
from chirrup.store.schema import SCHEMA

# Alembic hands its context to migrations through a module of its own: one at a time in a process.
_one_at_a_time: Final = threading.Lock()

_log = logging.getLogger("chirrup.store")


def ensure_schema(database: Database) -> None:
    """Create or upgrade the tables, where needed.

    Raises SchemaTooNew, with the database untouched, and StoreLocked when a server is running on an older schema."""
    with database.reader.connect() as connection:
        found = _version(connection, database)
        if found is None:
            database.check_empty(connection)
    if found != SCHEMA:
        with database.upgrading() as connection:
            found = _version(connection, database)  # again, now that nobody else can change it
            begun = time.monotonic()
            if found is not None and found != SCHEMA:
                _tell("upgrading the database; whatever ends this leaves it as it was", found)
            _upgrade(connection)
        if found is not None and found != SCHEMA:
            _tell("the database is upgraded", found, seconds=round(time.monotonic() - begun, 1))


def _version(connection: Connection, database: Database) -> str | None:
    """The schema's version, None if there is no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version is None:
        return None
    if not isinstance(version, str) or not version.isdigit():
        raise StoreError(f"{database.name} belongs to another program (its schema is {version!r}); name another one")
    if version > SCHEMA:
        raise SchemaTooNew(
            f"{database.name} has schema version {version}, and this program knows {SCHEMA}: "
            "run the later version of Chirrup that wrote it, or restore a backup from before the upgrade"
        )
    return version


def _tell(event: str, found: str, **values: object) -> None:
    _log.info(event, extra={"values": {"found": found, "schema": SCHEMA, **values}})


def _upgrade(connection: Connection) -> None:
    # Slow to load, and seldom needed.
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")
