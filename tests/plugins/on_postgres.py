"""Every server of the tests on PostgreSQL, where it would be on SQLite: CHIRRUP_TEST_DATABASE=postgresql.

A data folder has a database of its own, so that a server that starts again in the same folder finds what it kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from chirrup.store import Store
from tests.plugins.postgres import Cluster, cluster

WANTED: Final = os.environ.get("CHIRRUP_TEST_DATABASE") == "postgresql"
TEMPLATE: Final = "template_chirrup"

only_on_sqlite: Final = pytest.mark.skipif(WANTED, reason="it is about SQLite's files")


class Databases:
    """A database for each data folder, with the tables in it."""

    def __init__(self, postgres: Cluster) -> None:
        self._postgres = postgres
        self._urls: dict[Path, str] = {}
        postgres.sql(f"CREATE DATABASE {TEMPLATE}")
        asyncio.run(_make_tables(postgres.url(TEMPLATE)))

    def url(self, folder: Path) -> str:
        found = self._urls.get(folder)
        if found is None:
            found = self._urls[folder] = self._postgres.new_database(f"TEMPLATE {TEMPLATE}")
        return found


databases: Databases | None = None
"""None while servers are on SQLite."""


async def _make_tables(url: str) -> None:
    await (await Store.open(url)).close()


@contextmanager
def everything_on_postgres() -> Iterator[None]:
    """Servers within pytest's process, and those that `programs` makes."""
    from tests.plugins import programs

    global databases
    with cluster() as postgres, pytest.MonkeyPatch.context() as patch:
        databases = made = Databases(postgres)
        open_store = Store.open

        async def open_elsewhere(url: str, **options: Any) -> Store:
            path = Path(url.removeprefix("sqlite:///"))
            return await open_store(made.url(path.parent) if path.name == "chirrup.db" else url, **options)

        patch.setattr(Store, "open", open_elsewhere)
        patch.setattr(programs, "store_of", made.url)
        yield


_entered: Final = ExitStack()


def pytest_sessionstart(session: pytest.Session) -> None:
    workers = session.config.getoption("numprocesses", None)
    if WANTED and not (workers and not hasattr(session.config, "workerinput")):
        _entered.enter_context(everything_on_postgres())


def pytest_sessionfinish() -> None:
    _entered.close()
