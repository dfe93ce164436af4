"""The schema: made, found again, and left alone where it isn't ours to touch."""

# ruff: noqa: ASYNC240 - these loops have nothing else to do

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, create_engine, inspect, text

import chirrup.store
from chirrup.core.errors import SchemaTooNew, StoreError, StoreLocked
from chirrup.store import Connection, Store
from chirrup.store.invitations import InvitationRows, Row
from chirrup.store.message_rows import Range
from chirrup.store.schema import SCHEMA, metadata

ALICE = "alice@example.org"
Opener = Callable[..., Awaitable[Store]]


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "include_object": lambda _, name, kind, *__: not is_words(kind, name)}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def is_words(kind: str, name: str | None) -> bool:
    """Whether it belongs to the index of words, which isn't a table like others."""
    return kind == "table" and (name or "").startswith("message_text")


def stamp(version: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})


async def test_migrations_make_the_tables_that_the_statements_expect(store: Store) -> None:
    assert await store.read(differences) == []


def test_the_newest_migration_is_the_version_that_is_checked() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(chirrup.store.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


async def test_a_store_is_found_again_as_it_was(url: str, open_store: Opener) -> None:
    store = await open_store(url, exclusive=True)
    number = await store.log("offline").append(ALICE, "text", stamp=1.0)
    store.map("roster").set(ALICE, "key", "value")
    await store.close()
    store = await open_store(url, exclusive=True)
    assert [entry.id for entry in await store.log("offline").read(ALICE, limit=9)] == [number]
    assert await store.map("roster").all(ALICE) == {"key": "value"}
    assert await store.log("offline").append(ALICE, "text", stamp=1.0) > number


async def test_several_open_a_new_database_at_once(url: str, open_store: Opener) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    for number, store in enumerate(stores):
        await store.value("a").set(f"{number}@example.org", str(number))
    assert [await stores[0].value("a").get(f"{number}@example.org") for number in range(4)] == ["0", "1", "2", "3"]


async def test_a_later_schema_is_named_and_left_alone(url: str, open_store: Opener) -> None:
    store = await open_store(url)
    store.value("a").set(ALICE, "1")
    await store.submit(stamp("0977"))
    await store.close()
    file = Path(url.removeprefix("sqlite:///"))
    before = file.read_bytes() if file.exists() else b""
    for exclusive in True, False:
        with pytest.raises(SchemaTooNew) as caught:
            await open_store(url, exclusive=exclusive)
        assert "0977" in str(caught.value)
        assert SCHEMA in str(caught.value)
        assert "\n" not in str(caught.value)
    if before:
        assert file.read_bytes() == before


async def test_a_command_does_not_upgrade_under_a_running_server(
    url: str, open_store: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chirrup.store.sqlite.COMMAND_PATIENCE", 0.1)
    monkeypatch.setattr("chirrup.store.postgresql.PATIENCE", 0.1)
    server = await open_store(url, exclusive=True)
    await server.submit(stamp("0000"))
    with pytest.raises(StoreLocked, match="schema"):
        await open_store(url)
    version = await server.read(lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar())
    assert version == "0000"


async def test_another_programs_migrations_are_left_alone(url: str, open_store: Opener) -> None:
    store = await open_store(url)
    await store.submit(stamp("ae1027a6acf"))
    await store.close()
    with pytest.raises(StoreError, match="another program"):
        await open_store(url)


async def test_another_programs_file_is_left_alone(tmp_path: Path, open_store: Opener) -> None:
    file = tmp_path / "places.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE places (url text)")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"places\.db is another program's database"):
        await open_store(file, exclusive=True)
    assert file.read_bytes() == before


async def test_a_migration_that_fails_leaves_nothing_behind(
    postgres_url: str, postgres: Any, open_store: Opener
) -> None:
    database = postgres_url.partition("@/")[2].partition("?")[0]
    postgres.sql("CREATE TABLE map_entry (taken text)", database)
    with pytest.raises(StoreError, match='relation "map_entry" already exists'):
        await open_store(postgres_url)
    assert postgres.sql("SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'", database) == (
        "map_entry"
    )


def as_of(version: str) -> Callable[[Connection], None]:
    """Brings an empty database to an earlier schema."""

    def upgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(chirrup.store.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, version)

    return upgrade


def table_names(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


async def test_what_waited_in_the_log_waits_as_messages(url: str, open_store: Opener) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    stanza = "<message from='romeo@example.net/orchard' to='alice@example.org'><body>{}</body></message>"
    rows = [
        {"id": 1, "owner": ALICE, "name": "offline", "stamp": 1_700_000_000.25, "value": stanza.format("one")},
        {"id": 2, "owner": "bob@example.org", "name": "offline", "stamp": 1_700_000_000.25, "value": "<message/>"},
        {"id": 3, "owner": ALICE, "name": "notes", "stamp": 1_700_000_000.5, "value": "a note"},
        {"id": 4, "owner": ALICE, "name": "offline", "stamp": 1_600_000_000.0, "value": stanza.format("two")},
    ]
    with engine.begin() as connection:
        as_of("0002")(connection)
        connection.execute(
            text("INSERT INTO log_entry (id, owner, name, stamp, value) VALUES (:id, :owner, :name, :stamp, :value)"),
            rows,
        )
    engine.dispose()
    store = await open_store(url)
    found = await store.messages.waiting(ALICE, limit=9)
    assert [(one.id, one.value, one.peer, one.resource) for one in found] == [
        (1_700_000_000_250_000, stanza.format("one"), "romeo@example.net", "orchard"),
        (1_700_000_000_250_002, stanza.format("two"), "romeo@example.net", "orchard"),
    ]
    assert await store.messages.count_waiting("bob@example.org") == 1
    assert await store.messages.page(ALICE, Range(), limit=9) == []
    assert await store.log("offline").count(ALICE) == 0
    assert await store.log("notes").count(ALICE) == 1
    assert store.messages.next_id(0.0) == 1_700_000_000_250_003


async def test_an_account_of_the_first_schema_is_there_in_the_newest(url: str, open_store: Opener) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of("0001")(connection)
        connection.execute(text("INSERT INTO account VALUES ('example.org', 'alice', 1.5, false, NULL, NULL, '')"))
        keys = {"key": b"1234" * 8, "count": 4096}
        connection.execute(
            text("INSERT INTO account_keys VALUES ('example.org', 'alice', 'SHA-256', :key, :count, :key, :key)"), keys
        )
        connection.execute(text("INSERT INTO map_entry VALUES (:owner, 'roster', 'bob', 'friend')"), {"owner": ALICE})
    engine.dispose()
    store = await open_store(url, exclusive=True)
    found = await store.accounts.login("example.org", "alice")
    assert found is not None and found.keys["SHA-256"].iterations == 4096
    assert await store.map("roster").all(ALICE) == {"bob": "friend"}


async def test_an_upgrade_that_fails_half_way_leaves_the_earlier_schema(url: str, open_store: Opener) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of("0002")(connection)
        row = "INSERT INTO log_entry (id, owner, name, stamp, value) VALUES (1, 'a@b', 'offline', 1.5, '<message/>')"
        connection.execute(text(row))
        connection.execute(text("CREATE TABLE message_indexed (taken text)"))  # 0004 wants to make it
    before = table_names(engine)
    with pytest.raises(StoreError, match="message_indexed"):
        await open_store(url, exclusive=True)
    assert table_names(engine) == before
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0002"
        connection.execute(text("DROP TABLE message_indexed"))
    engine.dispose()
    store = await open_store(url, exclusive=True)
    assert await store.messages.count_waiting("a@b") == 1


@pytest.mark.parametrize("version", [f"{number:04}" for number in range(1, int(SCHEMA))])
async def test_what_an_earlier_schema_has_is_kept(version: str, url: str, open_store: Opener) -> None:
    """But for the words on PostgreSQL, and for what waited in the log: tests above."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of(version)(connection)
        there = set(inspect(connection).get_table_names())
        tables = [table for table in metadata.sorted_tables if table.name in there]
        for table in tables:
            connection.execute(table.delete())  # those that are one row
            connection.execute(table.insert().values({column.name: sample(column) for column in table.columns}))
        rows = {table.name: connection.execute(table.select()).all() for table in tables}
    engine.dispose()
    if not url.startswith("sqlite"):
        rows.pop("message_indexed", None)
    store = await open_store(url, exclusive=True)
    for table in tables:
        if table.name in rows:
            assert await store.read(lambda c, table=table: c.execute(table.select()).all()) == rows[table.name]
    assert await store.read(differences) == []


def sample(column: Column[Any]) -> object:
    """A value that differs from those of other columns, as far as keys of other tables allow."""
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return sample(key.column)
    kind = column.type.python_type
    if kind is bytes:
        return column.name.encode().ljust(16, b".")  # as long as a key of AES
    return kind(column.name) if kind is str else kind(len(column.name))


async def test_an_upgrade_is_told_once(url: str, open_store: Opener, caplog: pytest.LogCaptureFixture) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of("0004")(connection)
    engine.dispose()
    caplog.set_level("INFO", logger="chirrup.store")
    for _ in range(2):
        store = await open_store(url, exclusive=True)
        await store.close()
    told = [record for record in caplog.records if record.name == "chirrup.store"]
    assert [record.getMessage() for record in told] == [
        "upgrading the database; whatever ends this leaves it as it was",
        "the database is upgraded",
    ]
    values: dict[str, object] = told[1].values  # type: ignore[attr-defined]
    assert (values["found"], values["schema"]) == ("0004", SCHEMA)


async def test_a_new_database_is_no_upgrade(url: str, open_store: Opener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="chirrup.store")
    await open_store(url)
    assert not [record for record in caplog.records if record.name == "chirrup.store"]


async def test_what_was_indexed_with_other_words_is_found(postgres_url: str, open_store: Opener) -> None:
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of("0005")(connection)
        value = "<message><body>on 2026-11-21</body></message>"
        row = {"owner": ALICE, "value": value}
        connection.execute(text("INSERT INTO message VALUES (:owner, 1, 'bob', '', :value, true, false)"), row)
        connection.execute(text("INSERT INTO message_text VALUES (:owner, 1, to_tsvector('simple', :value))"), row)
        connection.execute(text("INSERT INTO message_indexed VALUES (:owner, 1)"), {"owner": ALICE})
    engine.dispose()
    store = await open_store(postgres_url)
    assert await store.messages.index(ALICE)
    assert len(await store.messages.page(ALICE, Range(text="11"), limit=9)) == 1


async def test_invitations_that_were_a_map_are_found(url: str, open_store: Opener) -> None:
    values = {
        "new": '{"inviter": "alice@example.org", "username": "", "may_register": false, "expires": 9.5, '
        '"maker": "alice@example.org"}',
        "old": '{"inviter": "", "username": "bob", "may_register": true, "expires": null}',
    }
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        as_of("0006")(connection)
        rows = [{"key": key, "value": value} for key, value in values.items()]
        connection.execute(text("INSERT INTO map_entry VALUES ('example.org', 'invitations', :key, :value)"), rows)
    engine.dispose()
    store = await open_store(url, exclusive=True)
    found = await store.read(lambda c: [InvitationRows(c).find("example.org", token) for token in values])
    assert found == [Row(ALICE, "", False, 9.5, ALICE), Row("", "bob", True, None, "")]
    assert await store.map("invitations").all("example.org") == {}


async def test_each_database_has_a_key_of_its_own(tmp_path: Path, open_store: Opener) -> None:
    first, second = [await open_store(tmp_path / name) for name in ("one.db", "two.db")]
    assert first.messages.uid(1) != second.messages.uid(1)
