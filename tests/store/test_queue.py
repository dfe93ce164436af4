"""What the loop sees of group commit: order, groups, barriers, bounds, health."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from chirrup.core.errors import StoreError
from chirrup.store import Connection, Store

ALICE = "alice@example.org"


@contextmanager
def busy_writer(store: Store) -> Iterator[None]:
    """Everything submitted within is one group: the writer is held up until the end."""
    gate = threading.Event()
    store.submit(lambda connection: gate.wait(30))
    try:
        yield
    finally:
        gate.set()


async def test_writes_happen_in_the_order_of_the_calls(store: Store) -> None:
    order: list[int] = []
    finished: list[int] = []
    for number in range(200):
        done = store.submit(lambda connection, number=number: order.append(number))
        done.add_done_callback(lambda _, number=number: finished.append(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await store.settled()
    await asyncio.sleep(0)
    assert order == finished == list(range(200))


async def test_what_waits_goes_in_one_transaction(store: Store) -> None:
    before = store.health()
    with busy_writer(store):
        await asyncio.sleep(0)  # the writer gets its own turn's batch
        for number in range(500):
            store.log("offline").append(ALICE, str(number), stamp=1.0)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)  # the last turn's batch is handed over too
        assert store.health().waiting == 501
    await store.settled()
    after = store.health()
    assert after.written - before.written == 501
    assert after.groups - before.groups <= 2
    assert after.waiting == 0


async def test_neighbours_of_one_kind_are_stored_together_and_get_their_own_results(store: Store) -> None:
    calls: list[list[int]] = []

    def double(connection: Connection, rows: Sequence[int]) -> list[int]:
        calls.append(list(rows))
        return [2 * row for row in rows]

    first = [store.submit_row(double, number) for number in range(3)]
    alone = store.submit(lambda connection: "alone")
    second = [store.submit_row(double, number) for number in (8, 9)]
    await store.settled()
    assert [future.result() for future in first] == [0, 2, 4]
    assert alone.result() == "alone"
    assert [future.result() for future in second] == [16, 18]
    assert calls == [[0, 1, 2], [8, 9]]


async def test_a_barrier_waits_for_what_was_submitted_before_it_and_no_more(store: Store) -> None:
    first = store.value("a").set(ALICE, "1")
    barrier = store.settled()
    gate = threading.Event()
    await barrier
    assert first.done()
    second = store.submit(lambda connection: gate.wait(30))
    third = store.settled()
    assert store.pending
    assert not second.done()
    assert not third.done()
    gate.set()
    await third
    assert second.done()
    assert not store.pending


async def test_a_barrier_with_nothing_before_it_is_open(store: Store) -> None:
    assert not store.pending
    assert store.settled().done()


async def test_a_barrier_that_nobody_waits_for_any_more_disturbs_nobody(store: Store) -> None:
    store.value("a").set(ALICE, "1")
    given_up, other = store.settled(), store.settled()
    given_up.cancel()
    await other


async def test_cancelling_the_wait_does_not_withdraw_the_write(store: Store) -> None:
    with busy_writer(store):
        store.value("a").set(ALICE, "1").cancel()
        later = store.value("b").set(ALICE, "2")
    await later
    assert await store.value("a").get(ALICE) == "1"


async def test_a_query_sees_every_write_before_it(store: Store) -> None:
    log = store.log("offline")
    for number in range(20):
        log.append(ALICE, "text", stamp=1.0)
        assert await log.count(ALICE) == number + 1


async def test_too_much_waiting_is_refused_and_later_taken_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.store.queue.LIMIT", 100_000)
    with busy_writer(store):
        taken = [store.value("a").set(f"{n}@example.org", "x" * 30_000) for n in range(4)]
        refused = store.value("a").set(ALICE, "y")
        assert isinstance(refused.exception(), StoreError)
        assert "too much is waiting" in str(refused.exception())
    await store.settled()
    assert all(future.exception() is None for future in taken)
    assert await store.value("a").get(ALICE) is None
    await store.value("a").set(ALICE, "z")
    assert await store.value("a").get(ALICE) == "z"


async def test_many_small_writes_are_too_much_as_well(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.store.queue.LIMIT", 100_000)
    with busy_writer(store):
        futures = [store.value("a").set(ALICE, "") for _ in range(200)]
        assert any(future.done() for future in futures)
    await store.settled()
    refused = [future for future in futures if future.exception() is not None]
    assert 0 < len(refused) < 200


async def test_closing_writes_what_waits_and_refuses_what_comes_later(store: Store) -> None:
    futures = [store.log("offline").append(ALICE, "text", stamp=1.0) for _ in range(100)]
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    late = store.value("a").set(ALICE, "1")
    await closing
    assert all(future.result() for future in futures)
    assert str(late.exception()) == "the store is closed"
    with pytest.raises(StoreError, match="the store is closed"):
        await store.value("a").get(ALICE)
    await store.close()
