"""Entries of an owner in the order they came."""

from __future__ import annotations

import pytest

from chirrup.store import Entry, Log, Store

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
async def log(store: Store) -> Log:
    return store.log("offline")


async def fill(log: Log, owner: str, count: int) -> list[int]:
    """Entries "0", "1", … with stamps to match."""
    futures = [log.append(owner, str(number), stamp=float(number)) for number in range(count)]
    return [await future for future in futures]


def values(entries: list[Entry]) -> list[str]:
    return [entry.value for entry in entries]


async def test_entries_come_back_in_order(log: Log) -> None:
    ids = await fill(log, ALICE, 5)
    assert ids == sorted(set(ids))
    entries = await log.read(ALICE, limit=10)
    assert entries == [Entry(ids[n], float(n), str(n), "", "") for n in range(5)]
    assert await log.count(ALICE) == 5
    assert await log.read(BOB, limit=10) == []


async def test_pages_from_either_end(log: Log) -> None:
    ids = await fill(log, ALICE, 10)
    await fill(log, BOB, 3)
    assert values(await log.read(ALICE, limit=3)) == ["0", "1", "2"]
    assert values(await log.read(ALICE, after=ids[2], limit=3)) == ["3", "4", "5"]
    assert values(await log.read(ALICE, limit=3, newest=True)) == ["7", "8", "9"]
    assert values(await log.read(ALICE, before=ids[7], limit=3, newest=True)) == ["4", "5", "6"]
    assert values(await log.read(ALICE, after=ids[1], before=ids[4], limit=9)) == ["2", "3"]


async def test_entries_of_one_peer_and_by_their_own_name(log: Log) -> None:
    log.append(ALICE, "one", stamp=1.5, peer=BOB, entry_id="x")
    log.append(ALICE, "two", stamp=2.5, peer="carol@example.org", entry_id="y")
    log.append(ALICE, "three", stamp=3.5, peer=BOB)
    assert values(await log.read(ALICE, peer=BOB, limit=9)) == ["one", "three"]
    found = await log.find(ALICE, "y")
    assert found is not None
    assert found[1:] == (2.5, "two", "carol@example.org", "y")
    assert await log.find(ALICE, "z") is None
    assert await log.find(BOB, "y") is None


async def test_a_name_is_given_once_in_a_log_and_only_its_append_fails(store: Store, log: Log) -> None:
    first = log.append(ALICE, "one", stamp=1.0, entry_id="x")
    again = log.append(ALICE, "two", stamp=1.0, entry_id="x")
    elsewhere = store.log("archive").append(ALICE, "three", stamp=1.0, entry_id="x")
    after = log.append(ALICE, "four", stamp=1.0)
    await store.settled()
    assert again.exception() is not None
    assert first.result() < elsewhere.result() < after.result()
    assert values(await log.read(ALICE, limit=9)) == ["one", "four"]


async def test_deleting(log: Log) -> None:
    ids = await fill(log, ALICE, 10)
    his = await fill(log, BOB, 2)
    assert await log.delete(ALICE, [ids[8], ids[9], his[0]]) == 2
    assert await log.delete_up_to(ALICE, ids[4]) == 5
    assert values(await log.read(ALICE, limit=9)) == ["5", "6", "7"]
    assert await log.clear(ALICE) == 3
    assert await log.count(ALICE) == 0
    assert await log.count(BOB) == 2


async def test_deleting_thousands_by_id(log: Log) -> None:
    ids = await fill(log, ALICE, 1200)
    assert await log.delete(ALICE, ids[1:]) == 1199
    assert values(await log.read(ALICE, limit=9)) == ["0"]


async def test_an_id_is_never_given_twice(log: Log) -> None:
    ids = await fill(log, ALICE, 3)
    await log.clear(ALICE)
    assert await log.append(ALICE, "later", stamp=1.0) > max(ids)


async def test_expiring_takes_the_oldest_of_all_owners_and_of_this_log(store: Store, log: Log) -> None:
    await fill(log, ALICE, 5)
    await fill(log, BOB, 5)
    await fill(store.log("archive"), ALICE, 5)
    assert await log.expire(3.0, limit=4) == 4
    assert await log.count(ALICE) + await log.count(BOB) == 6
    assert await log.expire(3.0) == 2
    assert values(await log.read(ALICE, limit=9)) == ["3", "4"]
    assert values(await log.read(BOB, limit=9)) == ["3", "4"]
    assert await store.log("archive").count(ALICE) == 5
