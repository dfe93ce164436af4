"""Queries that are made in one turn of the loop, and so share a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from chirrup.core.errors import StoreError
from chirrup.store import Store

ALICE = "alice@example.org"


async def test_each_has_its_own_answer(store: Store) -> None:
    values = [store.value(f"n{number}") for number in range(30)]
    await asyncio.gather(*[value.set(ALICE, str(number)) for number, value in enumerate(values)])
    assert await asyncio.gather(*[value.get(ALICE) for value in values]) == [str(number) for number in range(30)]


async def test_one_that_fails_fails_alone(store: Store) -> None:
    def divide(connection: Connection) -> float:
        return 1 / 0

    def nonsense(connection: Connection) -> object:
        return connection.execute(text("SELECT nothing FROM nowhere")).all()

    def ask(connection: Connection) -> int:
        found: int = connection.execute(text("SELECT 42")).scalar_one()
        return found

    answers = await asyncio.gather(*map(store.read, (ask, divide, ask, nonsense, ask)), return_exceptions=True)
    assert [answers[0], answers[2], answers[4]] == [42, 42, 42]
    assert isinstance(answers[1], ZeroDivisionError)
    assert isinstance(answers[3], DBAPIError | StoreError)
    assert await store.read(ask) == 42


async def test_one_that_nobody_waits_for_any_more(store: Store) -> None:
    value = store.value("vcard")
    await value.set(ALICE, "hers")
    first, second = (asyncio.ensure_future(value.get(ALICE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "hers"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_they_see_what_was_written_before(store: Store) -> None:
    value = store.value("vcard")
    value.set(ALICE, "first")
    one = asyncio.ensure_future(value.get(ALICE))
    await asyncio.sleep(0)
    value.set(ALICE, "second")
    assert await one in ("first", "second")
    assert await value.get(ALICE) == "second"


class Long:
    """A query that takes as long as somebody wants."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self._end = threading.Event()

    def __call__(self, connection: Connection) -> str:
        self._loop.call_soon_threadsafe(self.begun.set)
        assert self._end.wait(30)
        return "long"

    def end(self) -> None:
        self._end.set()


def ask(connection: Connection) -> str:
    return "short"


@pytest.fixture
def noted() -> Callable[[str, list[str]], Callable[[Connection], None]]:
    """Queries that note that they ran."""
    return lambda name, order: lambda connection: order.append(name)


async def test_long_ones_leave_room_for_others(store: Store) -> None:
    queries = [Long() for _ in range(10)]
    running = [asyncio.ensure_future(store.read_in_turn(one, owner=f"a{n}")) for n, one in enumerate(queries)]
    await queries[1].begun.wait()
    assert await store.read(ask) == "short"
    for one in queries:
        one.end()
    assert await asyncio.gather(*running) == ["long"] * 10


async def test_nobody_waits_for_many_long_ones_of_somebody_else(
    store: Store, noted: Callable[[str, list[str]], Callable[[Connection], None]]
) -> None:
    first, second, order = Long(), Long(), list[str]()
    running = [
        asyncio.ensure_future(store.read_in_turn(one, owner=name)) for one, name in ((first, "a"), (second, "b"))
    ]
    await second.begun.wait()
    await first.begun.wait()
    owners = ["alice"] * 3 + ["bob"]
    later = [asyncio.ensure_future(store.read_in_turn(noted(owner, order), owner=owner)) for owner in owners]
    first.end()
    await asyncio.gather(*later)
    assert order == ["alice", "bob", "alice", "alice"]
    second.end()
    await asyncio.gather(*running)


async def test_long_ones_that_nobody_waits_for_count_until_they_end(
    store: Store, noted: Callable[[str, list[str]], Callable[[Connection], None]]
) -> None:
    abandoned, order = [Long() for _ in range(2)], list[str]()
    for number, one in enumerate(abandoned):
        running = asyncio.ensure_future(store.read_in_turn(one, owner=f"a{number}"))
        await one.begun.wait()
        running.cancel()
    later = [
        asyncio.ensure_future(store.read_in_turn(noted(owner, order), owner=owner)) for owner in ("a0", "b", "gone")
    ]
    assert await store.read(ask) == "short"
    assert order == []
    later.pop().cancel()
    for one in abandoned:
        one.end()
    await asyncio.gather(*later)
    assert sorted(order) == ["a0", "b"]
