"""How SQLite finds what statements are about: by a key, whatever a database holds besides."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from chirrup.core.sasl import derive_keys
from chirrup.store import Store
from chirrup.store.invitations import InvitationRows, Row
from chirrup.store.message_rows import Message, MessageRows, Range
from chirrup.store.pubsub import PubSubRows
from chirrup.store.schema import metadata

HOST, ALICE, BOB = "example.org", "alice@example.org", "bob@example.org"
KEYS = [derive_keys("SHA-256", "secret", salt=b"0123456789abcdef", iterations=4096)]
ONE_ROW = {"message_state", "log_sequence"}
TABLES = set(metadata.tables) - ONE_ROW


@pytest.fixture
def asked() -> Iterator[dict[str, Any]]:
    """Statements that are run, with what they were run with."""
    found: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        found[statement] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


async def use_accounts(store: Store) -> None:
    accounts = store.accounts
    await accounts.create(HOST, "alice", KEYS, created=1.0)
    await accounts.create_many(HOST, [("bob", KEYS)], created=1.0)
    await accounts.add_keys(HOST, "alice", KEYS)
    await accounts.set_keys(HOST, "alice", KEYS)
    await accounts.set_disabled(HOST, "alice", False)
    await accounts.note_logins(HOST, {"alice": 2.0})
    await accounts.note_logout(HOST, "alice", 3.0)
    await accounts.login(HOST, "alice")
    await accounts.exists(HOST, "alice")
    await accounts.names(HOST, after="a", limit=2)
    await accounts.info(HOST, "alice")


async def use_shapes(store: Store) -> None:
    value, map_, log = store.value("card"), store.map("roster"), store.log("log")
    await value.set(ALICE, "x")
    await value.get(ALICE)
    await value.delete(ALICE)
    await map_.set_many(ALICE, {"a": "x", "b": "y"})
    await map_.get(ALICE, "a")
    await map_.all(ALICE)
    await map_.delete(ALICE, "a")
    await map_.clear(ALICE)
    for number in range(3):
        await log.append(ALICE, "x", stamp=1.0, peer=BOB, entry_id=str(number))
    await log.read(ALICE, limit=2, after=1, peer=BOB, newest=True)
    await log.find(ALICE, "1")
    await log.count(ALICE)
    await log.delete(ALICE, [1])
    await log.delete_up_to(ALICE, 2)
    await log.expire(2.0)
    await log.clear(ALICE)


async def use_messages(store: Store) -> None:
    messages = store.messages
    ids = [messages.next_id(1.0) for _ in range(4)]
    for number in ids:
        await messages.add((ALICE, number, BOB, "", "<message><body>hello</body></message>", True, True))
    await messages.index(ALICE)
    ranges = (
        Range(),
        Range(after=ids[0], before=ids[3]),
        Range(peer=BOB),
        Range(peer=BOB, resource="x", after=ids[0]),
        Range(ids=tuple(ids)),
        Range(text="hello"),
        Range(text="hello", peer=BOB),
    )
    for which in ranges:
        for newest in (False, True):
            await messages.page(ALICE, which, limit=2, newest=newest)
        await messages.count(ALICE, which, up_to=10)
    await messages.waiting(ALICE, after=ids[0], limit=2)
    await messages.count_waiting(ALICE)
    await messages.delivered(ALICE, ids[:2])
    await messages.wait_again(ALICE, ids[0])
    await messages.excess(ALICE, 1)
    await messages.owners(after="a", limit=2)
    await messages.aged([ALICE], ids[1])
    await messages.expire(ALICE, ids[1])

    def rest(connection: Connection) -> None:
        rows = MessageRows(connection)
        rows.ends(ALICE)
        rows.waiting_in_archive(ALICE)
        rows.missing(ALICE, ids)
        rows.bring_in(ALICE, [Message(ids[3], BOB, "", "<message/>", True, False)])
        rows.forget_index(ALICE)

    await store.submit(rest)
    await messages.clear(ALICE)


async def use_pubsub(store: Store) -> None:
    def all_of_it(connection: Connection) -> None:
        rows = PubSubRows(connection)
        rows.put_node(ALICE, "tune", "", 1.0)
        rows.ensure_node(ALICE, "tune", "", 1.0)
        rows.set_affiliation(ALICE, "tune", BOB, "owner")
        rows.set_subscription(ALICE, "tune", f"{BOB}/x", "", "subscribed")
        for item in "abc":
            rows.publish(ALICE, "tune", item, ALICE, 1.0, "<tune/>", keep=2)
        rows.nodes(ALICE)
        rows.owners([ALICE, BOB], ["tune"])
        rows.items(ALICE, "tune", limit=2, after=1, before=9, newest=True, since=1.0)
        rows.find(ALICE, "tune", ["a", "b"], since=1.0)
        rows.count(ALICE, "tune")
        rows.count(ALICE, "tune", before=3, since=1.0)
        rows.ids(ALICE, "tune", limit=2)
        rows.last(ALICE, ["tune"])
        rows.size(ALICE)
        rows.retract(ALICE, "tune", "a")
        rows.expire(ALICE, "tune", 1.0)
        rows.purge(ALICE, "tune")
        rows.part(BOB)
        rows.delete_node(ALICE, "tune")
        rows.forget(ALICE)

    await store.submit(all_of_it)


async def use_invitations(store: Store) -> None:
    def all_of_it(connection: Connection) -> None:
        rows = InvitationRows(connection)
        rows.add(HOST, "token", Row(ALICE, "bob", True, 9.0, ALICE))
        rows.find(HOST, "token")
        rows.reserved(HOST, "bob", 1.0)
        rows.open(HOST, ALICE, 1.0, 20)
        rows.expire(HOST, 10.0, 100)
        rows.use(HOST, "token")
        rows.forget(ALICE)

    await store.submit(all_of_it)


async def test_nothing_is_looked_for_in_a_whole_table(tmp_path: Path, asked: dict[str, Any]) -> None:
    file = tmp_path / "test.db"
    store = await Store.open(str(file))
    asked.clear()
    await use_accounts(store)
    await use_shapes(store)
    await use_messages(store)
    await use_pubsub(store)
    await use_invitations(store)
    await store.accounts.remove(HOST, "alice")
    await store.close()
    assert len(asked) > 85
    found = sqlite3.connect(file)
    plans = {
        statement: [row[3] for row in found.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        for statement, parameters in asked.items()
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))
    }
    found.close()
    whole = {
        statement: plan
        for statement, plan in plans.items()
        if {table for step in plan for table in re.findall(r"SCAN (\w+)", step)} & TABLES
    }
    assert whole == {}
