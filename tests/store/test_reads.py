"""Queries that are made in one turn of the loop, and so share a thread."""

from __future__ import annotations

import asyncio

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
