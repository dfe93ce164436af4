from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.server.copies import Copies
from chirrup.store import Store
from chirrup.store.message_rows import Message, Range
from chirrup.testing import FakeClock

ROMEO, JULIET = JID("romeo@localhost"), JID("juliet@localhost")
ORCHARD = JID("romeo@localhost/orchard")


class Held:
    """An origin that counts what it has to wait for."""

    patient = False

    def __init__(self) -> None:
        self.stored: list[asyncio.Future[Any]] = []

    def answer(self, stanza: Element) -> None: ...
    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        self.stored.append(stored)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(str(tmp_path / "test.db"))
    yield store
    await store.close()


@pytest.fixture
def copies(store: Store) -> Copies:
    return Copies(store.messages, FakeClock())


def message(text: str = "hi") -> Element:
    return parse_element(f"<message xmlns='jabber:client' type='chat'><body>{text}</body></message>")


async def rows(store: Store, owner: JID) -> list[tuple[str, bool, bool]]:
    archived = await store.messages.page(owner.text, Range(), limit=99)
    waiting = await store.messages.waiting(owner.text, limit=99)
    found: dict[int, Message] = {one.id: one for one in (*archived, *waiting)}
    return [(one.value, one.archived, one.waiting) for _, one in sorted(found.items())]


async def test_both_accounts_have_a_copy_and_the_origin_waits_once(store: Store, copies: Copies) -> None:
    origin, stanza = Held(), message()
    before = stanza.to_bytes().decode()
    first = copies.archive(ROMEO, stanza, JULIET, origin)
    second = copies.archive(JULIET, stanza, ORCHARD, origin)
    assert second == first + 1
    assert len(origin.stored) == 1
    await origin.stored[0]
    assert await rows(store, ROMEO) == await rows(store, JULIET) == [(before, True, False)]
    (hers,) = await store.messages.page(JULIET.text, Range(), limit=9)
    assert (hers.peer, hers.resource) == ("romeo@localhost", "orchard")


@pytest.mark.parametrize("keep_first", [False, True])
async def test_what_is_archived_and_waits_is_one_row(store: Store, copies: Copies, keep_first: bool) -> None:
    origin, stanza = Held(), message()
    if keep_first:
        copies.keep(JULIET, stanza, ORCHARD, origin)
        number = copies.archive(JULIET, stanza, ORCHARD, origin)
    else:
        number = copies.archive(JULIET, stanza, ORCHARD, origin)
        stanza.c("stanza-id", "urn:xmpp:sid:0")
        copies.keep(JULIET, stanza, ORCHARD, origin)
    assert copies.find(JULIET, stanza) == number
    assert copies.find(ROMEO, stanza) is None
    assert await rows(store, JULIET) == [(message().to_bytes().decode(), True, True)]
    assert len(origin.stored) == 1


async def test_what_has_changed_in_between_is_stored_as_it_is_then(store: Store, copies: Copies) -> None:
    origin, stanza = Held(), message()
    copies.archive(ROMEO, stanza, JULIET, origin)
    stanza.c("x", "urn:example")
    copies.archive(JULIET, stanza, ORCHARD, origin)
    assert "urn:example" not in (await rows(store, ROMEO))[0][0]
    assert "urn:example" in (await rows(store, JULIET))[0][0]


async def test_a_copy_that_is_withdrawn_is_never_stored(store: Store, copies: Copies) -> None:
    origin, stanza = Held(), message()
    copies.archive(ROMEO, stanza, JULIET, origin)
    copies.archive(JULIET, stanza, ORCHARD, origin)
    copies.withdraw(JULIET, stanza)
    assert copies.find(JULIET, stanza) is None
    copies.withdraw(ROMEO, message())  # another one
    assert await rows(store, JULIET) == []
    assert len(await rows(store, ROMEO)) == 1


async def test_the_same_stanza_at_another_time_is_another_message(store: Store, copies: Copies) -> None:
    origin, stanza = Held(), message()
    for _ in range(2):
        copies.archive(JULIET, stanza, ORCHARD, origin)
        await origin.stored[-1]
    copies.withdraw(JULIET, stanza)
    assert len(origin.stored) == 2
    assert len(await rows(store, JULIET)) == 2


async def test_the_origin_hears_once_that_nothing_can_be_stored(store: Store, copies: Copies) -> None:
    await store.close()
    origin, stanza = Held(), message()
    copies.archive(ROMEO, stanza, JULIET, origin)
    copies.archive(JULIET, stanza, ORCHARD, origin)
    copies.keep(JULIET, stanza, ORCHARD, origin)
    (stored,) = origin.stored
    assert stored.exception() is not None
