"""Invitations as they are stored."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from chirrup.store import Store
from chirrup.store.invitations import InvitationRows, Row

HOST = "example.org"
ALICE = f"alice@{HOST}"


def row(username: str = "", *, expires: float | None = None, maker: str = "", inviter: str = "") -> Row:
    return Row(inviter, username, True, expires, maker)


@pytest.mark.parametrize(
    "one", [row("bob", expires=2.5, maker=ALICE), row(inviter=ALICE), Row("", "", False, None, "")]
)
async def test_one_is_found_as_it_was_until_it_is_used(store: Store, one: Row) -> None:
    def work(connection: Connection) -> list[object]:
        rows = InvitationRows(connection)
        rows.add(HOST, "token", one)
        found = rows.find(HOST, "token"), rows.find("example.com", "token")
        return [*found, rows.use(HOST, "token"), rows.use(HOST, "token"), rows.find(HOST, "token")]

    assert await store.submit(work) == [one, None, True, False, None]


async def test_what_has_expired_neither_counts_nor_reserves_a_name(store: Store) -> None:
    def work(connection: Connection) -> list[object]:
        rows = InvitationRows(connection)
        rows.add(HOST, "old", row("bob", expires=5.0, maker=ALICE))
        rows.add(HOST, "endless", row("carol", maker=ALICE))
        rows.add(HOST, "new", row(expires=9.0, maker=ALICE))
        named = [rows.reserved(HOST, name, 5.0) for name in ("bob", "carol", "dave", "")]
        counted = [rows.open(HOST, maker, 5.0, most) for maker, most in ((ALICE, 20), (ALICE, 1), ("", 20))]
        return [*named, *counted, rows.reserved(HOST, "bob", 4.9)]

    assert await store.submit(work) == [False, True, False, True, 2, 1, 0, True]


async def test_what_has_expired_is_forgotten_the_oldest_first(store: Store) -> None:
    def work(connection: Connection) -> list[bool]:
        rows = InvitationRows(connection)
        for number in range(5):
            rows.add(HOST, f"t{number}", row(expires=float(number)))
        rows.add(HOST, "endless", row())
        rows.expire(HOST, 3.0, 2)
        return [rows.find(HOST, token) is not None for token in ("t0", "t1", "t2", "t3", "t4", "endless")]

    assert await store.submit(work) == [False, False, True, True, True, True]


async def test_they_go_with_who_made_them_and_whom_they_make_a_contact_of(store: Store) -> None:
    def work(connection: Connection) -> None:
        rows = InvitationRows(connection)
        rows.add(HOST, "made", row(maker=ALICE))
        rows.add(HOST, "contact", row(inviter=ALICE))
        rows.add(HOST, "other", row(maker=f"bob@{HOST}", inviter=f"bob@{HOST}"))

    await store.submit(work)
    await store.accounts.remove(HOST, "alice")
    tokens = ("made", "contact", "other")
    there = await store.read(
        lambda connection: [InvitationRows(connection).find(HOST, one) is not None for one in tokens]
    )
    assert there == [False, False, True]
