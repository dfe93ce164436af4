from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chirrup.ext.archive.payloads import Query
from chirrup.ext.archive.query import Found, find, read
from chirrup.ext.archive.results import fin
from chirrup.ext.rsm.payloads import Set
from chirrup.store import Store

ROMEO = "romeo@localhost"
NUMBERS = count()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(str(tmp_path / "test.db"))
    yield store
    await store.close()


async def fill(store: Store, owner: str, sizes: list[int]) -> list[int]:
    """An archive of messages so large; their ids."""
    ids = [store.messages.next_id(1_700_000_000.0) for _ in sizes]
    for number, size in zip(ids, sizes, strict=True):
        store.messages.add((owner, number, ROMEO, "", "x" * size, True, False))
        store.messages.add((ROMEO, store.messages.next_id(0), owner, "", "another's", True, False))
    await store.settled()
    return ids


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 50), max_size=20),
    limit=st.integers(1, 7),
    most_octets=st.integers(1, 200),
    backwards=st.booleans(),
)
async def test_page_by_page_it_is_the_whole_in_order(
    store: Store, sizes: list[int], limit: int, most_octets: int, backwards: bool
) -> None:
    owner = f"{next(NUMBERS)}@localhost"  # all examples have the same store
    ids = await fill(store, owner, sizes)
    messages = store.messages
    page = Set(max=limit, before="") if backwards else Set(max=limit)
    got: list[int] = []
    for _ in range(len(ids) + 1):
        asked = read(Query(set=page), messages.id_of, largest=5, default=5, full_text=True)

        def look(connection: object, asked: object = asked) -> Found | None:
            rows = messages.within(connection)  # type: ignore[arg-type]
            return find(rows, owner, asked, count_up_to=15, most_octets=most_octets)  # type: ignore[arg-type]

        found = await store.read(look)
        assert found is not None
        numbers = [message.id for message in found.messages]
        assert len(numbers) <= min(limit, 5)
        assert len(numbers) <= 1 or sum(len(message.value) for message in found.messages) <= most_octets
        got = numbers + got if backwards else got + numbers
        told = fin(found, asked, messages.uid)
        assert told.complete == found.complete
        assert told.set is not None
        assert told.set.count == (len(ids) if len(ids) <= 15 else None)
        if numbers:
            assert told.set.first is not None
            assert told.set.first.index in (None, ids.index(numbers[0]))
        if found.complete:
            break
        assert numbers
        assert told.set.first is not None
        page = Set(max=limit, before=told.set.first.uid) if backwards else Set(max=limit, after=told.set.last)
    assert got == ids
