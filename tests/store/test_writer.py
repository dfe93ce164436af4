"""A group is one transaction, in which each member fails for itself alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import text

from chirrup.core.errors import StoreError
from chirrup.store import Connection, Store

ALICE = "alice@example.org"

REFUSED_AT_COMMIT = {
    "sqlite": [
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO account_keys VALUES ('nowhere', 'nobody', 'SHA-1', '', 1, '', '')",
    ],
    "postgresql": [
        "CREATE TEMP TABLE other (number int PRIMARY KEY REFERENCES other DEFERRABLE INITIALLY DEFERRED, up int)",
        "ALTER TABLE other ADD FOREIGN KEY (up) REFERENCES other DEFERRABLE INITIALLY DEFERRED",
        "INSERT INTO other VALUES (1, 2)",
    ],
}
"""Statements that work, but not the commit after them."""


def insert_then_raise(error: BaseException) -> Callable[[Connection], None]:
    def op(connection: Connection) -> None:
        connection.execute(text("INSERT INTO single_value VALUES ('bob@example.org', 'a', 'half')"))
        raise error

    return op


@pytest.mark.parametrize("error", [LookupError("mine"), StopIteration(), SystemExit(3)])
async def test_who_raises_fails_alone_and_leaves_nothing(store: Store, error: BaseException) -> None:
    before = store.value("a").set(ALICE, "1")
    failed = store.submit(insert_then_raise(error))
    after = store.map("b").set(ALICE, "key", "2")
    await store.settled()
    assert before.exception() is None
    assert after.exception() is None
    raised = failed.exception()
    assert raised is error or isinstance(raised, RuntimeError)
    assert await store.value("a").get(ALICE) == "1"
    assert await store.value("a").get("bob@example.org") is None
    assert await store.map("b").all(ALICE) == {"key": "2"}
    assert store.health().healthy


async def test_a_statement_that_the_database_refuses_is_its_authors_affair(store: Store) -> None:
    wrong = store.submit(lambda connection: connection.execute(text("SELECT no_such_thing")))
    twice = store.submit(lambda connection: [insert_row(connection) for _ in range(2)])
    right = store.value("a").set(ALICE, "1")
    await store.settled()
    assert not isinstance(wrong.exception(), StoreError)
    assert twice.exception() is not None
    assert right.exception() is None
    assert await store.value("a").get("carol@example.org") is None
    assert store.health().healthy


def insert_row(connection: Connection) -> None:
    connection.execute(text("INSERT INTO single_value VALUES ('carol@example.org', 'a', 'once')"))


async def test_of_rows_stored_together_only_the_wrong_one_fails(store: Store) -> None:
    def check(connection: Connection, rows: Sequence[int]) -> list[str]:
        if 13 in rows:
            raise ValueError("unlucky")
        return [str(row) for row in rows]

    futures = [store.submit_row(check, number) for number in (11, 12, 13, 14)]
    await store.settled()
    assert [future.result() for future in futures if future.exception() is None] == ["11", "12", "14"]
    assert isinstance(futures[2].exception(), ValueError)


async def test_a_commit_that_fails_fails_the_group_whole_and_no_other(store: Store, url: str) -> None:
    def op(connection: Connection) -> None:
        for statement in REFUSED_AT_COMMIT[url.partition(":")[0]]:
            connection.execute(text(statement))

    group = [store.value("a").set(ALICE, "1"), store.submit(op), store.log("b").append(ALICE, "2", stamp=1.0)]
    await store.settled()
    errors = [future.exception() for future in group]
    assert all(type(error) is StoreError for error in errors)
    assert len(set(map(id, errors))) == 3, "each raises an exception of its own"
    assert "\n" not in str(errors[0])
    assert await store.value("a").get(ALICE) is None
    assert await store.log("b").count(ALICE) == 0
    await store.value("a").set(ALICE, "3")
    assert await store.value("a").get(ALICE) == "3"


async def test_health_and_the_log_tell_of_the_last_fault_and_of_recovery(
    url: str, open_store: Callable[..., Awaitable[Store]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chirrup.store")
    store = await open_store(url, now=lambda: 1234.5)

    def op(connection: Connection) -> None:
        for statement in REFUSED_AT_COMMIT[url.partition(":")[0]]:
            connection.execute(text(statement))

    assert store.health().healthy
    assert store.health().last_error == ""
    failed = store.submit(op)
    await store.settled()
    health = store.health()
    assert not health.healthy
    assert health.last_error == str(failed.exception())
    assert health.last_error_at == 1234.5
    assert (health.written, health.groups) == (0, 0)
    await store.value("a").set(ALICE, "1")
    health = store.health()
    assert health.healthy
    assert health.last_error == str(failed.exception())
    assert (health.written, health.groups) == (1, 1)
    assert [record.message for record in caplog.records] == ["storage failed", "storage works again"]
    assert caplog.records[0].__dict__["values"]["reason"] == health.last_error


async def test_a_reader_can_not_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await store.read(insert_row)
    assert await store.value("a").get("carol@example.org") is None


async def test_a_query_that_raises_raises_that(store: Store) -> None:
    def query(connection: Connection) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await store.read(query)


async def test_all_statements_of_a_query_see_the_same_state(
    url: str, open_store: Callable[..., Awaitable[Store]]
) -> None:
    store = await open_store(url)
    other = await open_store(url)
    log = store.log("offline")
    await log.append(ALICE, "1", stamp=1.0)
    loop = asyncio.get_running_loop()

    async def append() -> None:
        await other.log("offline").append(ALICE, "2", stamp=1.0)

    def query(connection: Connection) -> tuple[int, int]:
        before = log.within(connection).count(ALICE)
        asyncio.run_coroutine_threadsafe(append(), loop).result(30)
        return before, log.within(connection).count(ALICE)

    assert await store.read(query) == (1, 1)
    assert await log.count(ALICE) == 2
