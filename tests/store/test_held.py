"""While storage fails: messages are held, in their order and within bounds, and stored when it works again; nothing
waits for them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chirrup.core.errors import StoreError
from chirrup.store import Connection, Store
from chirrup.store.message_rows import Range, add

ALICE, BOB = "alice@example.org", "bob@example.org"


class Trouble:
    """Keeps a database from storing messages, from `begin` to `end`."""

    def __init__(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        self.begin = begin
        self.end = end


@pytest.fixture
def trouble(url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """SQLite's file is locked by another program, PostgreSQL's disk says that it is full."""
    monkeypatch.setattr("chirrup.store.thread.RETRY", 0.02)
    monkeypatch.setattr("chirrup.store.sqlite.SERVER_PATIENCE", 0.01)
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        request.addfinalizer(other.close)
        return Trouble(lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK"))
    postgres = request.getfixturevalue("postgres")
    database = url.partition("@/")[2].partition("?")[0]
    full = (
        "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$; "
        "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OR DELETE ON message "
        "FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
    )
    return Trouble(
        lambda: postgres.sql(full, database), lambda: postgres.sql("DROP TRIGGER full_disk ON message", database)
    )


def put(store: Store, text: str, owner: str = ALICE, *, patient: bool = True, **flags: bool) -> asyncio.Future[None]:
    """Store a message, in a turn of the loop with others."""
    flags = {"archived": True, "waiting": False, **flags}
    row = (owner, store.messages.next_id(1000.0), BOB, "", text, flags["archived"], flags["waiting"])
    return store.messages.add(row, patient=patient)


async def archive(store: Store, owner: str = ALICE) -> list[str]:
    return [message.value for message in await store.messages.page(owner, Range(), limit=999)]


async def waiting(store: Store, **options: int) -> list[str]:
    return [message.value for message in await store.messages.waiting(ALICE, **{"limit": 99, **options})]


async def test_what_can_not_be_stored_is_held_and_stored_in_its_order(
    store: Store, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chirrup.store")
    held = [put(store, "before")]
    await store.settled()
    trouble.begin()
    for number in range(20):
        held.append(put(store, str(number)))
        if number % 3 == 0:
            await store.settled()
    assert await archive(store) == ["before"], "queries don't wait for what is held"
    health = store.health()
    assert (health.healthy, health.waiting, health.held) == (False, 0, 20)
    assert not any(future.done() for future in held[1:])
    trouble.end()
    held.append(put(store, "after"))
    done: list[asyncio.Future[None]] = []
    for future in held:
        future.add_done_callback(done.append)
    await asyncio.gather(*held)
    assert [held.index(future) for future in done] == sorted(held.index(future) for future in done)
    assert await archive(store) == ["before", *map(str, range(20)), "after"]
    health = store.health()
    assert (health.healthy, health.held, health.waiting) == (True, 0, 0)
    assert [record.message for record in caplog.records] == ["storage failed", "storage works again"]
    assert all(record.exc_info is None for record in caplog.records)


async def test_those_who_are_not_patient_hear_at_once(store: Store, trouble: Trouble) -> None:
    trouble.begin()
    refused = put(store, "refused", patient=False)
    held = put(store, "held")
    await store.settled()
    assert isinstance(refused.exception(), StoreError)
    later = put(store, "refused too", patient=False)
    await store.settled()
    assert isinstance(later.exception(), StoreError)
    assert later.exception() is not refused.exception()
    trouble.end()
    await held
    await put(store, "taken", patient=False)
    assert await archive(store) == ["held", "taken"]


async def test_other_writes_fail_or_succeed_as_ever(store: Store, trouble: Trouble, url: str) -> None:
    trouble.begin()
    held = put(store, "held")
    other = store.value("a").set(ALICE, "1")
    await store.settled()
    assert isinstance(other.exception(), StoreError), "they shared a transaction"
    another = store.value("a").set(ALICE, "2")
    await store.settled()
    assert (another.exception() is None) == url.startswith("postgresql"), "SQLite is locked for all"
    assert not store.health().healthy
    assert not held.done()
    trouble.end()
    await held
    await store.value("a").set(ALICE, "3")
    assert await archive(store) == ["held"]


async def test_much_is_stored_piece_by_piece(store: Store, trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.store.thread.PIECE", 5000)
    trouble.begin()
    held = []
    for number in range(50):
        held.append(put(store, str(number)))
        await asyncio.sleep(0)
    await store.settled()
    before = store.health().groups
    trouble.end()
    await asyncio.gather(*held)
    assert await archive(store) == [str(number) for number in range(50)]
    assert store.health().groups - before >= 10


async def test_what_is_held_is_bounded_and_keeps_no_others_away(
    store: Store, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble.begin()
    monkeypatch.setattr("chirrup.store.queue.LIMIT", 20_000)
    futures = []
    for number in range(40):
        futures.append(put(store, str(number)))
        await store.settled()
    refused = [future for future in futures if future.done()]
    assert futures[20:] == refused
    assert all("too much is waiting" in str(future.exception()) for future in refused)
    other = store.value("a").set(ALICE, "1")
    await store.settled()
    assert "too much" not in str(other.exception())
    trouble.end()
    await asyncio.gather(*futures[:20])
    assert await archive(store) == [str(number) for number in range(20)]
    await put(store, "room again")


async def test_an_operation_that_raises_is_not_held(store: Store, trouble: Trouble) -> None:
    def wrong(connection: Connection) -> None:
        raise LookupError("mine")

    failed = store.submit_patiently(wrong)
    await store.settled()
    assert isinstance(failed.exception(), LookupError)
    trouble.begin()
    before = put(store, "before")
    await store.settled()
    failed = store.submit_patiently(wrong)
    behind = put(store, "behind")
    await store.settled()
    trouble.end()
    await behind
    assert before.done()
    assert isinstance(failed.exception(), LookupError)
    assert await archive(store) == ["before", "behind"]


async def test_no_account_comes_or_goes_while_messages_are_held(store: Store, trouble: Trouble) -> None:
    """They would be stored when it is gone, and be there for the next of its name."""
    await store.accounts.create("example.org", "alice", [], created=1.0)
    trouble.begin()
    held = put(store, "held")
    await store.settled()
    gone = store.accounts.remove("example.org", "alice")
    new = store.accounts.create("example.org", "bob", [], created=1.0)
    many = store.accounts.create_many("example.org", [("carol", [])], created=1.0)
    await store.settled()
    assert all(isinstance(future.exception(), StoreError) for future in (gone, new, many))
    trouble.end()
    await held
    assert await store.accounts.remove("example.org", "alice")
    await store.accounts.create("example.org", "alice", [], created=1.0)
    assert await archive(store) == []


async def test_closing_does_not_wait(
    url: str, open_store: Callable[..., Awaitable[Store]], trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_store(url, exclusive=True)
    await put(store, "stored")
    trouble.begin()
    held = [put(store, "lost") for _ in range(3)]
    await store.settled()
    held.append(store.messages.delivered(ALICE, [1]))  # type: ignore[arg-type]
    await store.settled()
    await store.close()
    assert all(isinstance(future.exception(), StoreError) for future in held)
    told = [record.__dict__["values"] for record in caplog.records if "were not stored" in record.message]
    assert [values["count"] for values in told] == [4]
    trouble.end()
    assert await archive(await open_store(url, exclusive=True)) == ["stored"]


async def test_what_waits_is_handed_over_though_it_is_held(store: Store, trouble: Trouble) -> None:
    await put(store, "1", archived=False, waiting=True)
    await put(store, "2", archived=True, waiting=False)
    (archived,) = await store.messages.page(ALICE, Range(), limit=9)
    (oldest,) = await store.messages.waiting(ALICE, limit=9)
    trouble.begin()
    put(store, "3", waiting=True)
    put(store, "4")
    put(store, "somebody else's", BOB, waiting=True)
    await store.settled()
    put(store, "5", archived=False, waiting=True)
    await store.settled()
    assert await waiting(store) == ["1", "3", "5"]
    assert await waiting(store, after=oldest.id) == ["3", "5"]
    assert await waiting(store, limit=2) == ["1", "3"]
    assert await store.messages.count_waiting(ALICE) == 3
    again = store.messages.wait_again(ALICE, archived.id)
    await store.settled()
    assert await waiting(store) == ["1", "2", "3", "5"]
    new = [message.id for message in await store.messages.waiting(ALICE, limit=9)]
    gone = store.messages.delivered(ALICE, [new[0], new[3]])
    await store.settled()
    assert await waiting(store) == ["2", "3"]
    assert await waiting(store, limit=1) == ["2"]
    assert await store.messages.count_waiting(ALICE) == 2
    trouble.end()
    assert await again is True
    assert await gone == 2
    assert await waiting(store) == ["2", "3"]
    assert await archive(store) == ["2", "3", "4"]
    assert await store.messages.count_waiting(ALICE) == 2


async def test_a_held_message_that_is_to_be_delivered_after_all(store: Store, trouble: Trouble) -> None:
    trouble.begin()
    put(store, "held")
    number = store.messages.next_id(0.0) - 1
    await store.settled()
    again = store.messages.wait_again(ALICE, number)
    await store.settled()
    assert await waiting(store) == ["held"]
    trouble.end()
    assert await again is True
    assert await waiting(store) == ["held"]


async def test_whoever_wants_to_know_hears_each_time_that_it_begins(store: Store, trouble: Trouble) -> None:
    heard: list[bool] = []
    store.when_held(lambda: heard.append(store.holding))
    for times in (1, 2):
        trouble.begin()
        futures = [put(store, "1")]
        await store.settled()
        futures.append(put(store, "2"))
        await store.settled()
        trouble.end()
        await asyncio.gather(*futures)
        assert heard == [True] * times
        assert not store.holding


async def test_rows_that_may_have_been_stored_are_stored_once(store: Store) -> None:
    """PostgreSQL may be lost after it has committed, and before it could say so."""
    row: tuple[Any, ...] = (ALICE, store.messages.next_id(0.0), BOB, "", "once", True, False)
    await store.messages.add(row)
    await store.submit(lambda connection: add(connection, [row], True))
    assert await archive(store) == ["once"]
    twice = store.submit(lambda connection: add(connection, [row], False))
    await store.settled()
    assert twice.exception() is not None
