"""Stores to test: `url` is a new database of each kind, `store` is one that is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup.store import Store

Opener = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of SQLite and of PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
async def open_store() -> AsyncIterator[Opener]:
    """`Store.open`, closing at the end of the test what the test didn't."""
    opened: list[Store] = []

    async def open_store(url: str | Path, **options: Any) -> Store:
        opened.append(await Store.open(str(url), **options))
        return opened[-1]

    yield open_store
    for store in opened:
        await store.close()


@pytest.fixture
async def store(url: str, open_store: Opener) -> Store:
    return await open_store(url, exclusive=True)
