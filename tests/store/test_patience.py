"""A database that hangs is noticed, though nothing fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from chirrup.store import Store, patience


class Hanging:
    """What is done with a database until somebody ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = threading.Event()
        self.begun = asyncio.Event()

    def __call__(self, connection: Connection) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._end.wait(30)
        return "answer"

    def end(self) -> None:
        self._end.set()


@pytest.fixture
async def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    """Nobody has patience with it."""
    monkeypatch.setattr(patience, "SECONDS", 0)
    return Hanging()


@pytest.fixture
async def log() -> AsyncIterator[asyncio.Queue[str]]:
    """What the store tells."""
    told: asyncio.Queue[str] = asyncio.Queue()
    handler = logging.Handler()
    handler.emit = lambda record: told.put_nowait(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("chirrup.store")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield told
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.parametrize("what", ["read", "write"])
async def test_its_health_and_the_log_tell(store: Store, hanging: Hanging, log: asyncio.Queue[str], what: str) -> None:
    waiting = asyncio.ensure_future(store.read(hanging) if what == "read" else store.submit(hanging))
    async with asyncio.timeout(30):
        assert await log.get() == "storage failed"
        assert not store.health().healthy
        assert "hasn't answered" in store.health().last_error
        hanging.end()
        assert await waiting == "answer"
        assert await log.get() == "storage works again"
    assert store.health().healthy


async def test_a_long_query_is_nothing_amiss(store: Store, hanging: Hanging) -> None:
    searching = asyncio.ensure_future(store.read_in_turn(hanging, owner="alice@example.org"))
    await hanging.begun.wait()
    for _ in range(20):  # turns of the loop, in each of which somebody would lose patience
        await asyncio.sleep(0)
    assert store.health().healthy
    hanging.end()
    assert await searching == "answer"
