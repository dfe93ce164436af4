"""Keys and values of an owner."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event

from chirrup.store import Connection, Store

ALICE, BOB = "alice@example.org", "bob@example.org"


async def test_entries_are_set_replaced_and_deleted(store: Store) -> None:
    roster = store.map("roster")
    assert await roster.all(ALICE) == {}
    roster.set(ALICE, "b", "1")
    roster.set_many(ALICE, {"a": "2", "c": "3"})
    roster.set(ALICE, "b", "4")
    assert list((await roster.all(ALICE)).items()) == [("a", "2"), ("b", "4"), ("c", "3")]
    assert await roster.get(ALICE, "b") == "4"
    assert await roster.get(ALICE, "d") is None
    assert await roster.delete(ALICE, "b", "d") == 1
    assert await roster.all(ALICE) == {"a": "2", "c": "3"}
    assert await roster.clear(ALICE) == 2
    assert await roster.all(ALICE) == {}


async def test_thousands_are_deleted_in_a_few_statements(store: Store) -> None:
    roster = store.map("roster")
    keys = [f"{number}@example.org" for number in range(1200)]
    await roster.set_many(ALICE, dict.fromkeys(keys, ""))
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert await roster.delete(ALICE, *keys[1:], "nobody@example.org") == 1199
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert len([one for one in statements if one.startswith("DELETE")]) < 10
    assert list(await roster.all(ALICE)) == keys[:1]


async def test_owners_and_names_are_apart(store: Store) -> None:
    store.map("roster").set(ALICE, "key", "hers")
    store.map("roster").set(BOB, "key", "his")
    store.map("private").set(ALICE, "key", "another")
    await store.map("roster").clear(BOB)
    assert await store.map("roster").all(ALICE) == {"key": "hers"}
    assert await store.map("private").all(ALICE) == {"key": "another"}
    assert await store.map("roster").all(BOB) == {}


async def test_setting_none_is_possible(store: Store) -> None:
    await store.map("roster").set_many(ALICE, {})
    assert await store.map("roster").all(ALICE) == {}


async def test_what_is_set_is_what_it_was_when_it_was_set(store: Store) -> None:
    entries = {"a": "1"}
    done = store.map("roster").set_many(ALICE, entries)
    entries["b"] = "2"
    await done
    assert await store.map("roster").all(ALICE) == {"a": "1"}


async def test_shapes_share_a_transaction(store: Store) -> None:
    roster, offline, version = store.map("roster"), store.log("offline"), store.value("version")

    def op(connection: Connection) -> int:
        roster.within(connection).set(ALICE, BOB, "both")
        version.within(connection).set(ALICE, "7")
        return offline.within(connection).append(ALICE, "hello", stamp=1.0)

    def failing(connection: Connection) -> None:
        roster.within(connection).delete(ALICE, [BOB])
        version.within(connection).delete(ALICE)
        offline.within(connection).clear(ALICE)
        raise LookupError("after all")

    number = await store.submit(op)
    failed = store.submit(failing)
    await store.settled()
    assert isinstance(failed.exception(), LookupError)

    def query(connection: Connection) -> tuple[str | None, str | None, list[int]]:
        entries = offline.within(connection).read(ALICE, limit=9)
        return roster.within(connection).get(ALICE, BOB), version.within(connection).get(ALICE), [e.id for e in entries]

    assert await store.read(query) == ("both", "7", [number])
