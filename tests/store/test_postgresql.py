"""What can happen to a database on a server."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from chirrup.core.errors import StoreError, StoreFull, StoreLocked, StoreRefused, StoreUnavailable
from chirrup.store import Connection, Store
from chirrup.store.message_rows import Range

ALICE = "alice@example.org"
Opener = Callable[..., Awaitable[Store]]


def kill_own_connection(connection: Connection) -> None:
    connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def refused(open_store: Opener, url: str, **options: Any) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        await open_store(url, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert "secret" not in line
    return line


async def test_a_wrong_password(postgres: Any, open_store: Opener) -> None:
    line = await refused(open_store, postgres.url(password="guessed, secret"))
    assert 'password authentication failed for user "chirrup": check user and password' in line


async def test_a_database_that_is_not_there(postgres: Any, open_store: Opener) -> None:
    line = await refused(open_store, postgres.url("missing"))
    assert 'database "missing" does not exist: create it with: createdb -E UTF8 -T template0 missing' in line


async def test_a_server_that_is_not_there(tmp_path: Path, open_store: Opener) -> None:
    line = await refused(open_store, f"postgresql://me:secret@/mine?host={tmp_path}")
    assert f"PostgreSQL database mine at {tmp_path}: No such file or directory: is the server running" in line
    line = await refused(open_store, "postgres://me:secret@127.0.0.1:1/mine")
    assert "PostgreSQL database mine at 127.0.0.1: Connection refused: is the server running" in line


async def test_a_database_of_another_encoding(postgres: Any, open_store: Opener) -> None:
    url = postgres.new_database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="has encoding LATIN1: create one with: createdb -E UTF8"):
        await open_store(url)


async def test_a_user_who_may_not_create_tables(postgres: Any, open_store: Opener) -> None:
    url = postgres.new_database()
    postgres.sql("CREATE ROLE guest LOGIN PASSWORD 'not a secret'")
    with pytest.raises(StoreError, match=r"permission denied for schema public.*: make its user the owner"):
        await open_store(url.replace("//chirrup:", "//guest:"))


async def test_a_second_server_is_refused_while_the_first_runs(postgres_url: str, open_store: Opener) -> None:
    first = await open_store(postgres_url, exclusive=True)
    with pytest.raises(StoreLocked, match="another server has it open"):
        await open_store(postgres_url, exclusive=True)
    command = await open_store(postgres_url)
    await command.accounts.create("example.org", "alice", [], created=1.0)
    await command.close()
    await first.value("a").set(ALICE, "1")
    await first.close()
    assert await (await open_store(postgres_url, exclusive=True)).value("a").get(ALICE) == "1"


async def test_a_server_waits_a_moment_for_one_that_is_going(
    postgres: Any, postgres_url: str, open_store: Opener
) -> None:
    first = await open_store(postgres_url, exclusive=True)
    opening = asyncio.ensure_future(open_store(postgres_url, exclusive=True))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not opening.done() and await asyncio.to_thread(postgres.sql, waiting) == "0":
        pass
    await first.close()
    await (await opening).value("a").set(ALICE, "1")


async def test_a_connection_that_was_lost_is_replaced_unnoticed(postgres: Any, store_on_postgres: Store) -> None:
    store = store_on_postgres
    await store.value("a").set(ALICE, "1")
    assert await store.value("a").get(ALICE) == "1"
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chirrup'")
    assert await store.value("a").get(ALICE) == "1"
    await store.value("a").set(ALICE, "2")
    assert store.health().healthy


async def test_a_group_whose_connection_is_lost_before_the_commit_is_stored_once(store_on_postgres: Store) -> None:
    lost: list[bool] = []

    def once(connection: Connection) -> None:
        if not lost:
            lost.append(True)
            kill_own_connection(connection)

    log = store_on_postgres.log("offline")
    group = [log.append(ALICE, "1", stamp=1.0), store_on_postgres.submit(once), log.append(ALICE, "2", stamp=1.0)]
    await store_on_postgres.settled()
    assert [future.exception() for future in group] == [None, None, None]
    assert [entry.value for entry in await log.read(ALICE, limit=9)] == ["1", "2"]


async def test_a_connection_that_is_lost_in_the_commit(postgres_url: str, postgres: Any, open_store: Opener) -> None:
    store = await open_store(postgres_url, exclusive=True)
    database = postgres_url.partition("@/")[2].partition("?")[0]
    postgres.sql(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON map_entry DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()",
        database,
    )
    group = [store.value("a").set(ALICE, "1"), store.map("b").set(ALICE, "key", "2")]
    await store.settled()
    assert all(isinstance(future.exception(), StoreUnavailable) for future in group)
    assert await store.value("a").get(ALICE) is None
    assert await store.map("b").all(ALICE) == {}
    await store.value("a").set(ALICE, "3")
    assert store.health().healthy


async def test_messages_wait_for_a_server_that_comes_back(
    postgres: Any, store_on_postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chirrup.store.thread.RETRY", 0.05)
    messages = store_on_postgres.messages
    postgres.stop("fast")
    try:
        held = []
        for text in ("1", "2", "3"):
            row = (ALICE, messages.next_id(1.0), "bob@example.org", "", text, True, False)
            held.append(messages.add(row, patient=True))
            await store_on_postgres.settled()
        assert not any(future.done() for future in held)
        assert store_on_postgres.health().held == 3
    finally:
        postgres.start()
    for future in held:
        await future
    assert [message.value for message in await messages.page(ALICE, Range(), limit=9)] == ["1", "2", "3"]
    assert store_on_postgres.health().healthy


async def test_a_server_that_goes_and_comes_back(postgres: Any, store_on_postgres: Store) -> None:
    store = store_on_postgres
    await store.value("a").set(ALICE, "1")
    postgres.stop("fast")
    try:
        with pytest.raises(StoreUnavailable):
            await store.value("a").set(ALICE, "2")
        with pytest.raises(StoreUnavailable, match="is the server running"):
            await store.value("a").get(ALICE)
        assert not store.health().healthy
        assert "is the server running" in store.health().last_error
    finally:
        postgres.start()
    assert await store.value("a").get(ALICE) == "1"
    await store.value("a").set(ALICE, "3")
    assert store.health().healthy
    assert await store.value("a").get(ALICE) == "3"


async def test_writers_that_stop_each_other_try_again(postgres_url: str, open_store: Opener) -> None:
    one, other = await open_store(postgres_url), await open_store(postgres_url)
    one.value("a").set("x@example.org", "0")
    await one.value("a").set("y@example.org", "0")
    meeting = threading.Barrier(2)
    runs: list[str] = []

    def crossing(name: str, first: str, second: str) -> Callable[[Connection], None]:
        def op(connection: Connection) -> None:
            runs.append(name)
            values = one.value("a").within(connection)
            values.set(first, name)
            if runs.count(name) == 1:
                meeting.wait(30)
            values.set(second, name)

        return op

    here = one.submit(crossing("here", "x@example.org", "y@example.org"))
    there = other.submit(crossing("there", "y@example.org", "x@example.org"))
    await here
    await there
    assert len(runs) == 3, "one of them was undone, and ran again"
    x, y = await one.value("a").get("x@example.org"), await one.value("a").get("y@example.org")
    assert x == y == runs[-1]


async def test_ids_appear_in_their_own_order_whoever_appends(postgres_url: str, open_store: Opener) -> None:
    stores = [await open_store(postgres_url) for _ in range(3)]
    seen: list[int] = []
    for number in range(60):
        stores[number % 3].log("offline").append(ALICE, str(number), stamp=1.0)
        after = seen[-1] if seen else None
        seen += [entry.id for entry in await stores[0].log("offline").read(ALICE, after=after, limit=99)]
    for store in stores:
        await store.settled()
    seen += [entry.id for entry in await stores[0].log("offline").read(ALICE, after=seen[-1], limit=99)]
    assert seen == sorted(seen)
    assert len(seen) == 60, "paging by id misses nothing"


async def test_what_others_have_locked_is_not_waited_for(
    postgres_url: str, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants to log in would wait, too."""
    monkeypatch.setattr("chirrup.store.postgresql.LOCK_PATIENCE", 0.05)
    monkeypatch.setattr("chirrup.store.thread.RETRY", 0.05)
    store = await open_store(postgres_url, exclusive=True)
    await store.value("a").set(ALICE, "1")
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE message, single_value IN EXCLUSIVE MODE")
        row = (ALICE, store.messages.next_id(1.0), "bob@example.org", "", "<message/>", True, False)
        held = store.messages.add(row, patient=True)
        with pytest.raises(StoreLocked, match="another program has locked what is needed"):
            await store.value("a").set(ALICE, "2")
        assert await store.value("a").get(ALICE) == "1"
        assert not store.health().healthy
        assert not held.done()
        other.rollback()
        await held
        other.execute("LOCK TABLE single_value")
        with pytest.raises(StoreLocked):
            await store.value("a").get(ALICE)
    await store.value("a").set(ALICE, "3")
    assert await store.value("a").get(ALICE) == "3"
    assert store.health().healthy


async def test_settings_that_would_break_the_promise(postgres_url: str, postgres: Any, open_store: Opener) -> None:
    """Whatever the database has as its default, what is committed is on the disk, and nothing cuts a write short."""
    database = postgres_url.partition("@/")[2].partition("?")[0]
    wanted = {
        "synchronous_commit": "off",
        "default_transaction_isolation": "serializable",
        "statement_timeout": "100ms",
        "lock_timeout": "100ms",
    }
    for name, value in wanted.items():
        postgres.sql(f"ALTER DATABASE {database} SET {name} = '{value}'")
    store = await open_store(postgres_url, exclusive=True)

    def settings(connection: Connection) -> list[str]:
        connection.execute(text("SELECT pg_sleep(0.15)"))
        names = ("synchronous_commit", "transaction_isolation", "statement_timeout", "lock_timeout")
        return [str(connection.execute(text(f"SHOW {name}")).scalar()) for name in names]

    assert await store.submit(settings) == ["on", "read committed", "0", "5s"]
    assert await store.read(settings) == ["off", "repeatable read", "30s", "5s"]  # nothing is committed there


async def test_a_query_that_takes_too_long_ends(
    postgres_url: str, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chirrup.store.postgresql.QUERY_PATIENCE", 0.05)
    store = await open_store(postgres_url)
    with pytest.raises(StoreError, match="canceling statement due to statement timeout: is it too slow"):
        await store.read(lambda connection: connection.execute(text("SELECT pg_sleep(60)")))
    assert await store.value("a").get(ALICE) is None


async def test_a_key_that_is_too_long_for_an_index(store_on_postgres: Store) -> None:
    """Only that is refused, and what it says is nobody's business but its owner's."""
    store = store_on_postgres
    key = secrets.token_hex(3000)
    group = [store.map("a").set(ALICE, "1", "x"), store.map("a").set(ALICE, key, "y"), store.value("b").set(ALICE, "z")]
    await store.settled()
    refused = group[1].exception()
    assert isinstance(refused, StoreRefused)
    assert "index row size" in str(refused)
    assert key not in "".join(traceback.format_exception(refused))
    assert await store.map("a").all(ALICE) == {"1": "x"}
    assert await store.value("b").get(ALICE) == "z"
    assert store.health().healthy


async def test_addresses_of_messages_always_fit(store_on_postgres: Store) -> None:
    owner, peer = (f"{secrets.token_hex(512)[1:]}@{secrets.token_hex(126)}" for _ in range(2))
    messages = store_on_postgres.messages
    await messages.add((owner, messages.next_id(1.0), peer, secrets.token_hex(512)[1:], "<message/>", True, True))
    assert len(await messages.page(owner, Range(peer=peer), limit=9)) == 1


@pytest.fixture
async def store_on_postgres(postgres_url: str, open_store: Opener) -> Store:
    return await open_store(postgres_url, exclusive=True)


@pytest.fixture
def tiny_database(postgres: Any) -> Iterator[str]:
    """A database on a file system of 16 megabytes."""
    folder = postgres.folder / "disk"
    folder.mkdir()
    owner = postgres.folder.stat()
    options = f"size=16m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount the tiny file system that this fills")
    try:
        postgres.sql(f"CREATE TABLESPACE tiny LOCATION '{folder}'")
        url = postgres.new_database("TABLESPACE tiny")
        yield url
        postgres.sql(f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]}")
        postgres.sql("DROP TABLESPACE tiny")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk(tiny_database: str, postgres: Any) -> None:
    ballast = postgres.folder / "disk" / "ballast"
    ballast.write_bytes(bytes(2**20))
    store = await Store.open(tiny_database, exclusive=True)
    try:
        log = store.log("offline")
        stored = 0
        for _ in range(100):
            # Not to be compressed.
            group = [log.append(ALICE, secrets.token_hex(20_000), stamp=1.0) for _ in range(20)]
            await store.settled()
            failed = [future for future in group if future.exception() is not None]
            if failed:
                break
            stored += len(group)
        assert len(failed) == len(group), "a group is stored whole or not at all"
        assert all(isinstance(future.exception(), StoreFull) for future in failed)
        assert "no room left" in str(failed[0].exception())
        assert await log.count(ALICE) == stored
        assert not store.health().healthy
        ballast.unlink()
        await log.append(ALICE, secrets.token_hex(20_000), stamp=1.0)
        assert await log.count(ALICE) == stored + 1
        assert store.health().healthy
    finally:
        await store.close()
