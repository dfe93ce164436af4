"""Messages that are archived, wait, or both."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from chirrup.core.sasl import derive_keys
from chirrup.store import Connection, Store
from chirrup.store.message_rows import Message, Range

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
NOW = 1_700_000_000.0
Opener = Callable[..., Awaitable[Store]]


async def add(
    store: Store, value: str, *, owner: str = ALICE, peer: str = BOB, resource: str = "x", archived: bool = True,
    waiting: bool = False, now: float = NOW,
) -> int:  # fmt: skip
    number = store.messages.next_id(now)
    await store.messages.add((owner, number, peer, resource, value, archived, waiting))
    return number


async def fill(store: Store, count: int, **options: str) -> list[int]:
    return [await add(store, str(number), **options) for number in range(count)]  # type: ignore[arg-type]


def values(found: list[Message]) -> list[str]:
    return [message.value for message in found]


async def test_ids_are_the_time_and_grow_whatever_the_clock_does(store: Store) -> None:
    first = store.messages.next_id(NOW)
    assert first == 1_700_000_000_000_000
    assert store.messages.next_id(NOW) == first + 1
    assert store.messages.next_id(NOW - 3600) == first + 2
    assert store.messages.next_id(NOW + 1) == first + 1_000_000


async def test_no_id_is_given_again_after_a_restart(url: str, open_store: Opener) -> None:
    store = await open_store(url)
    number = await add(store, "gone", archived=False, waiting=True)
    uid = store.messages.uid(number)
    await store.messages.delivered(ALICE, [number])
    await store.close()
    store = await open_store(url)
    assert store.messages.next_id(NOW - 1000) == number + 1
    assert store.messages.id_of(uid) == number


async def test_a_page_is_what_is_archived_in_order(store: Store) -> None:
    ids = await fill(store, 5)
    await add(store, "only waits", archived=False, waiting=True)
    await add(store, "another's", owner=BOB)
    found = await store.messages.page(ALICE, Range(), limit=9)
    assert found == [Message(ids[n], BOB, "x", str(n), True, False) for n in range(5)]


@pytest.mark.parametrize("peer", [None, BOB])
async def test_pages_from_either_end(store: Store, peer: str | None) -> None:
    ids = []
    for number in range(10):
        ids.append(await add(store, str(number)))
        await add(store, "carol's", peer=CAROL if peer else BOB, owner=ALICE if peer else CAROL)

    async def page(limit: int = 3, *, newest: bool = False, **range_: int) -> list[str]:
        which = Range(peer=peer, **range_)  # type: ignore[arg-type]
        return values(await store.messages.page(ALICE, which, limit=limit, newest=newest))

    assert await page() == ["0", "1", "2"]
    assert await page(after=ids[2]) == ["3", "4", "5"]
    assert await page(newest=True) == ["7", "8", "9"]
    assert await page(before=ids[7], newest=True) == ["4", "5", "6"]
    assert await page(9, after=ids[1], before=ids[4]) == ["2", "3"]
    assert values(await store.messages.page(ALICE, Range(peer=peer, ids=(ids[3], ids[1])), limit=9)) == ["1", "3"]


async def test_a_resource_of_a_peer(store: Store) -> None:
    await add(store, "from the phone", resource="phone")
    await add(store, "from the desk", resource="desk")
    assert values(await store.messages.page(ALICE, Range(peer=BOB, resource="phone"), limit=9)) == ["from the phone"]


async def test_counting(store: Store) -> None:
    ids = await fill(store, 5)
    await fill(store, 2, peer=CAROL)
    await add(store, "only waits", archived=False, waiting=True)
    count = store.messages.count
    assert await count(ALICE, Range(), up_to=100) == 7
    assert await count(ALICE, Range(peer=BOB), up_to=100) == 5
    assert await count(ALICE, Range(after=ids[1], before=ids[4]), up_to=100) == 2
    assert await count(ALICE, Range(), up_to=7) == 7
    assert await count(ALICE, Range(), up_to=6) is None
    assert await count(CAROL, Range(), up_to=6) == 0


async def test_what_is_not_in_the_archive_is_missing(store: Store) -> None:
    ids = await fill(store, 2)
    waits = await add(store, "only waits", archived=False, waiting=True)

    async def missing(*numbers: int) -> bool:
        return await store.read(lambda connection: store.messages.within(connection).missing(ALICE, numbers))

    assert not await missing(*ids)
    assert not await missing(ids[0], ids[0])
    assert await missing(ids[0], waits)
    assert await missing(ids[0], ids[1] + 100)


async def test_waiting_until_delivered(store: Store) -> None:
    both = await add(store, "archived too", waiting=True)
    only = await add(store, "only waits", archived=False, waiting=True)
    last = await add(store, "later", archived=False, waiting=True)
    await add(store, "bob's", owner=BOB, waiting=True)
    assert await store.messages.count_waiting(ALICE) == 3
    assert values(await store.messages.waiting(ALICE, limit=2)) == ["archived too", "only waits"]
    assert values(await store.messages.waiting(ALICE, after=both, limit=9)) == ["only waits", "later"]
    assert await store.messages.delivered(ALICE, [both, only]) == 2
    assert await store.messages.delivered(ALICE, [both, only]) == 0
    assert [one.id for one in await store.messages.waiting(ALICE, limit=9)] == [last]
    assert values(await store.messages.page(ALICE, Range(), limit=9)) == ["archived too"]
    assert await store.messages.count_waiting(BOB) == 1


async def test_delivering_thousands(store: Store) -> None:
    ids = [store.messages.next_id(NOW) for _ in range(1200)]
    for number in ids:
        store.messages.add((ALICE, number, BOB, "", "x", number % 2 == 0, True))
    assert await store.messages.delivered(ALICE, ids[1:]) == 1199
    assert [one.id for one in await store.messages.waiting(ALICE, limit=9)] == [ids[0]]


async def test_waiting_again(store: Store) -> None:
    number = await add(store, "came back")
    assert await store.messages.wait_again(ALICE, number)
    assert not await store.messages.wait_again(ALICE, number)
    assert not await store.messages.wait_again(BOB, number)
    assert values(await store.messages.waiting(ALICE, limit=9)) == ["came back"]


async def test_those_added_in_one_turn_are_one_write(store: Store) -> None:
    numbers = [store.messages.next_id(NOW) for _ in range(3)]
    first, second, third = (store.messages.add((ALICE, n, BOB, "", str(n), True, False)) for n in numbers)
    assert first is second is third
    await first
    assert [one.id for one in await store.messages.page(ALICE, Range(), limit=9)] == numbers
    assert await add(store, "next turn") > numbers[-1]


async def test_they_go_with_their_account(store: Store) -> None:
    await store.accounts.create(
        "example.org", "alice", [derive_keys("SHA-256", "secret", b"some salt", 4096)], created=NOW
    )
    await fill(store, 3)
    await fill(store, 1, owner=BOB)
    await store.accounts.remove("example.org", "alice")
    assert await store.messages.page(ALICE, Range(), limit=9) == []
    assert len(await store.messages.page(BOB, Range(), limit=9)) == 1


async def test_the_indexes_are_used(tmp_path: Path, open_store: Opener) -> None:
    """SQLite's planner takes what was made for these queries."""
    store = await open_store(tmp_path / "test.db")
    plans: list[str] = []

    def note(_: object, cursor: Any, statement: str, parameters: Any, *__: object) -> None:
        if statement.startswith("SELECT"):
            rows = cursor.connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)
            plans.append(" ".join(row[3] for row in rows))

    def explain(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", note)
        rows = store.messages.within(connection)
        rows.page(ALICE, Range(peer=BOB, after=1), limit=9)
        rows.page(ALICE, Range(after=1), limit=9)
        rows.count(ALICE, Range(), up_to=9)
        rows.waiting(ALICE, after=0, limit=9)
        event.remove(connection, "before_cursor_execute", note)

    await store.read(explain)
    by_peer, by_key, counting, waiting = plans
    assert "message_by_peer (owner=? AND peer=? AND archived=? AND id>?)" in by_peer
    assert "PRIMARY KEY (owner=? AND id>?)" in by_key
    assert "COVERING INDEX message_by_peer (owner=?)" in counting
    assert "message_waiting (owner=? AND id>?)" in waiting
    assert not any("TEMP B-TREE" in plan for plan in plans)


async def test_the_oldest_expire(store: Store) -> None:
    ids = await fill(store, 5)
    waits = await add(store, "waits", waiting=True)
    await fill(store, 2, owner=BOB)
    assert await store.messages.expire(ALICE, ids[3], limit=2) == 2
    assert values(await store.messages.page(ALICE, Range(), limit=9)) == ["2", "3", "4", "waits"]
    assert await store.messages.expire(ALICE, waits + 1) == 4
    assert await store.messages.page(ALICE, Range(), limit=9) == []
    assert values(await store.messages.waiting(ALICE, limit=9)) == ["waits"]
    assert await store.messages.delivered(ALICE, [waits]) == 1
    assert await store.messages.owners() == [BOB]


async def test_an_archive_that_is_too_large(store: Store) -> None:
    ids = [await add(store, "\N{SNOWMAN}" * 300) for _ in range(10)]  # 900 octets each, and 100 for the rest
    assert await store.messages.excess(ALICE, 10_000) is None
    assert await store.messages.excess(ALICE, 9_999) == ids[0]
    assert await store.messages.excess(ALICE, 3_500) == ids[6]
    assert await store.messages.excess(BOB, 0) is None


async def test_owners_by_page(store: Store) -> None:
    for owner in CAROL, ALICE, BOB, ALICE:
        await add(store, "x", owner=owner)
    assert await store.messages.owners(limit=2) == [ALICE, BOB]
    assert await store.messages.owners(after=BOB) == [CAROL]


async def test_whose_archives_have_old_messages(store: Store) -> None:
    old = await add(store, "old")
    await add(store, "only waits", owner=BOB, archived=False, waiting=True)
    new = await add(store, "new", owner=CAROL)
    assert await store.messages.aged([ALICE, BOB, CAROL], new) == [ALICE]
    assert await store.messages.aged([ALICE, BOB, CAROL], old) == []


async def index(store: Store, owner: str = ALICE) -> None:
    while not await store.messages.index(owner):
        pass


async def search(store: Store, text: str, owner: str = ALICE, **others: str) -> list[str]:
    found = await store.messages.page(owner, Range(text=text, **others), limit=999)  # type: ignore[arg-type]
    assert await store.messages.count(owner, Range(text=text, **others), up_to=999) == len(found)  # type: ignore[arg-type]
    return [re.sub("<[^>]*>", "", message.value) for message in found]


async def test_searching(store: Store) -> None:
    said = ["Shall we meet at seven?", "We MEET at the corner", "caf\u00e9 &amp; cake", "it's a <![CDATA[<b>box</b>]]>"]
    for text in said:
        await add(store, f"<message><body xml:lang='en'>{text}</body><x xmlns='y'>hidden</x></message>")
    await add(store, "<message><body>we meet</body></message>", owner=BOB)
    await add(store, "<message><body>we meet</body></message>", peer=CAROL)
    assert await search(store, "meet") == []
    await index(store)
    assert await search(store, "meet") == [said[0] + "hidden", said[1] + "hidden", "we meet"]
    assert await search(store, "  meet   corner ") == [said[1] + "hidden"]
    assert await search(store, "meet", peer=CAROL) == ["we meet"]
    assert len(await search(store, "cake")) == 1
    for clause, (part, absent) in {
        "\u6211\u4eec\u660e\u5929\u89c1\u9762": ("\u660e\u5929", "\u6628\u5929"),
        "\u30b3\u30fc\u30d2\u30fc\u3092\u98f2\u3080": ("\u30b3\u30fc\u30d2\u30fc", "\u304a\u8336"),
        "\u0e1e\u0e23\u0e38\u0e48\u0e07\u0e19\u0e35\u0e49\u0e40\u0e08\u0e2d\u0e01\u0e31\u0e19": (
            "\u0e40\u0e08\u0e2d",
            "\u0e25\u0e07",
        ),
    }.items():  # written without spaces
        await add(store, f"<message><body>{clause}</body></message>")
        await index(store)
        assert [len(await search(store, text)) for text in (clause, part, absent)] == [1, 1, 0]
    for coffee in ("caf\u00e9", "CAF\u00c9", "cafe", "cafe\u0301"):
        assert len(await search(store, coffee)) == 1
    assert len(await search(store, "box")) == 1
    for nothing in ("hidden", "message", "lang", "amp", "meet nowhere"):
        assert await search(store, nothing) == []
    for odd in ('"', 'meet"', "a:b", "(", "NOT", "owner : x", "meet*", "'; --", "&", "!!!", "-meet"):
        await search(store, odd)
    for without_words in ("!!!", '"', "&", "\N{GRINNING FACE} ..."):
        assert await search(store, without_words) == []
    assert await search(store, "meet - corner ?!") == [said[1] + "hidden"], "what is no word says nothing"
    assert await search(store, "meet", owner=BOB) == []
    await index(store, BOB)
    assert await search(store, "meet", owner=BOB) == ["we meet"]


async def test_an_index_catches_up_and_forgets(store: Store) -> None:
    ids = []
    for number in range(450):
        ids.append(store.messages.next_id(NOW))
        store.messages.add((ALICE, ids[-1], BOB, "", f"<message><body>word {number}</body></message>", True, False))
    await index(store)
    assert len(await search(store, "word")) == 450
    await add(store, "<message><body>another word</body></message>")
    await index(store)
    assert len(await search(store, "word")) == 451
    await store.messages.expire(ALICE, ids[400])
    assert len(await search(store, "word")) == 51
    await store.accounts.create("example.org", "alice", [], created=NOW)
    assert await search(store, "word") == []
    await add(store, "<message><body>a new word</body></message>")
    await index(store)
    assert await search(store, "word") == ["a new word"]


OLD = "old@example.org"


def _bring_in(store: Store, owner: str, messages: list[Message], connection: Connection) -> int:
    return store.messages.within(connection).bring_in(owner, messages)


async def test_messages_from_elsewhere_come_at_their_own_time_and_once(store: Store) -> None:
    """Two of one moment are both there; one that comes again isn't; what it lacked it gets."""

    def old(number: int, value: str, *, archived: bool = True, waiting: bool = False) -> Message:
        return Message(number, "romeo@montague.net", "", value, archived, waiting)

    async def bring(*messages: Message) -> int:
        return await store.submit(partial(_bring_in, store, OLD, list(messages)))

    assert await bring(old(10, "a"), old(11, "b")) == 2
    assert await bring(old(10, "a"), old(11, "b")) == 0
    assert await bring(old(10, "c")) == 1  # the next free one is behind the others
    assert await bring(old(10, "c", archived=False, waiting=True)) == 0
    found = await store.messages.page(OLD, Range(), limit=9)
    assert [(one.id, one.value, bool(one.waiting)) for one in found] == [
        (10, "a", False), (11, "b", False), (12, "c", True),
    ]  # fmt: skip


async def test_two_accounts_with_the_same_id_can_both_be_searched(store: Store) -> None:
    for owner in ("one@example.org", OLD):
        kept = [Message(20, "p@example.net", "", "<message><body>needle</body></message>", True, False)]
        await store.submit(partial(_bring_in, store, owner, kept))
        assert await store.messages.index(owner)


async def test_all_of_an_owner_go_in_pieces(store: Store) -> None:
    await fill(store, 1201)
    await add(store, "waits", archived=False, waiting=True)
    await add(store, "another's", owner=CAROL)
    while not await store.messages.index(ALICE):
        pass
    before = store.health().groups
    await store.messages.clear(ALICE)
    assert store.health().groups - before == 3
    assert await store.messages.page(ALICE, Range(), limit=10) == []
    assert await store.messages.count_waiting(ALICE) == 0
    assert values(await store.messages.page(CAROL, Range(), limit=10)) == ["another's"]


async def test_what_is_too_old_in_many_archives_goes_at_once(store: Store) -> None:
    owners = [f"{number}@example.org" for number in range(10)]
    for owner in owners:
        for _ in range(3):
            last = await add(store, "old", owner=owner)
    for owner in owners:
        await add(store, "new", owner=owner)
    assert await store.messages.expire_of(owners, last + 1, limit=20) == 20
    assert await store.messages.expire_of(owners, last + 1, limit=20) == 10
    for owner in owners:
        assert values(await store.messages.page(owner, Range(), limit=10)) == ["new"]


async def test_no_more_is_read_than_so_many_octets(store: Store) -> None:
    ids = [await add(store, "x" * 1000) for _ in range(10)]
    for newest, wanted in ((False, ids[:4]), (True, ids[-4:])):
        found = await store.messages.page(ALICE, Range(), limit=10, newest=newest, octets=3500)
        assert [message.id for message in found] == wanted
    assert len(await store.messages.page(ALICE, Range(), limit=10, octets=1)) == 2  # one, and that there are more
    assert len(await store.messages.page(ALICE, Range(), limit=3, octets=3500)) == 3
