"""An archive that is kept in PostgreSQL: what clients see of it is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chirrup.core.errors import StanzaError
from chirrup.ext.archive import FULL_TEXT_FIELD
from chirrup.ext.archive.retention import INTERVAL
from chirrup.ext.rsm.payloads import Set
from chirrup.testing import FakeClock, serve

Ask = Callable[..., Awaitable[Any]]


async def test_an_archive(postgres_url: str, query: Ask) -> None:
    clock = FakeClock()
    settings = {"store": postgres_url, "modules": {"archive": {"max_megabytes": 0.05}}}
    async with serve(settings, clock=clock) as server:
        juliet = await server.client("juliet@localhost/balcony", presence=True)
        romeo = await server.client("romeo@localhost/orchard", presence=True)
        for number in range(12):
            to = "juliet@localhost" if number % 3 else "nurse@localhost"
            romeo.send(
                f"<message to='{to}' type='chat'><body>caf\u00e9 {number} {'even' * (number % 2 == 0)}</body></message>"
            )
        await romeo.settle()
        assert len((await query(juliet)).texts) == 8
        first = await query(romeo, Set(max=5))
        assert (len(first.texts), first.fin.complete, first.fin.set.count) == (5, False, 12)
        second = await query(romeo, Set(max=50, after=first.fin.set.last))
        assert (len(second.texts), second.fin.complete, second.fin.set.first.index) == (7, True, 5)
        last = await query(romeo, Set(max=7, before=""))
        assert last.ids == second.ids
        assert (await query(romeo, Set(before=last.ids[0], max=2))).ids == first.ids[3:]
        assert len((await query(romeo, with_="juliet@localhost")).texts) == 8
        assert (await query(romeo, with_="juliet@localhost/balcony")).texts == []
        assert (await query(romeo, ids=[last.ids[3], first.ids[0]])).ids == [first.ids[0], last.ids[3]]
        assert (await query(romeo, after_id=first.ids[0], before_id=first.ids[3])).ids == first.ids[1:3]
        with pytest.raises(StanzaError, match="item-not-found"):
            await query(juliet, ids=[first.ids[0]])
        found = await query(
            romeo, Set(max=2, before=""), **{FULL_TEXT_FIELD: "CAF\u00c9 even ?"}, with_="juliet@localhost"
        )
        assert [text.split()[1] for text in found.texts] == ["8", "10"]
        assert (found.fin.complete, found.fin.set.count) == (False, 4)
        assert (await query(romeo, **{FULL_TEXT_FIELD: "?"})).texts == []
        for _ in range(10):
            romeo.send(f"<message to='nurse@localhost' type='chat'><body>{'x' * 10_000}</body></message>")
        await romeo.settle()
        clock.advance(INTERVAL)
        await asyncio.wait([task for task in asyncio.all_tasks() if "_tidy" in repr(task.get_coro())])
        assert (await query(romeo, Set(max=0))).fin.set.count == 4
        assert (await query(romeo, **{FULL_TEXT_FIELD: "even"})).texts == []
        assert len((await query(juliet, **{FULL_TEXT_FIELD: "even"})).texts) == 4
