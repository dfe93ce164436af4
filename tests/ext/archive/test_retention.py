from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from chirrup.ext.archive.retention import AGE_INTERVAL, INTERVAL
from chirrup.testing import FakeClock, TestClient, TestServer, serve

DAY = 86_400.0
Ask = Callable[..., Awaitable[Any]]


async def say(client: TestClient, text: str) -> None:
    client.send(f"<message to='juliet@localhost' type='chat'><body>{text}</body></message>")
    await client.settle()


async def tidy(server: TestServer, clock: FakeClock, seconds: float = INTERVAL) -> None:
    """Let the time pass, and what then begins come to its end."""
    clock.advance(seconds)
    while tasks := [task for task in asyncio.all_tasks() if "_tidy" in repr(task.get_coro())]:
        await asyncio.wait(tasks)


async def test_what_is_too_old_goes(query: Ask) -> None:
    clock = FakeClock()
    async with serve({"modules": {"archive": {"days": 2}}}, clock=clock) as server:
        romeo = await server.client("romeo")
        juliet = await server.client("juliet")
        await say(romeo, "old")
        old = (await query(romeo)).ids[0]
        clock.advance(1.5 * DAY)
        await say(romeo, "new")
        await tidy(server, clock, AGE_INTERVAL)
        assert (await query(romeo)).texts == ["old", "new"]
        await tidy(server, clock, 0.5 * DAY)
        found = await query(romeo)
        assert found.texts == ["new"]
        assert old not in found.ids
        assert (await query(juliet)).texts == ["new"]
        assert (
            await server.server.store.messages.count_waiting("juliet@localhost") == 1
        )  # "new" was just fetched by her


async def test_the_oldest_go_when_there_is_too_much(query: Ask) -> None:
    clock = FakeClock()
    async with serve({"modules": {"archive": {"max_megabytes": 0.005}}}, clock=clock) as server:
        romeo = await server.client("romeo")
        await server.add_account("juliet")
        for number in range(10):
            await say(romeo, f"{number}{'x' * 700}")
        await tidy(server, clock)
        left = [text[0] for text in (await query(romeo)).texts]
        assert left == ["5", "6", "7", "8", "9"]
        await say(romeo, "a" * 700)
        await tidy(server, clock)
        assert [text[0] for text in (await query(romeo)).texts] == ["6", "7", "8", "9", "a"]


async def test_what_waits_is_delivered_though_it_is_old(query: Ask) -> None:
    clock = FakeClock()
    async with serve({"modules": {"archive": {"days": 1}}}, clock=clock) as server:
        romeo = await server.client("romeo")
        await server.add_account("juliet")
        await say(romeo, "still")
        clock.advance(2 * DAY)
        await tidy(server, clock)
        juliet = await server.client("juliet", presence=True)
        while (stanza := await juliet.receive()).name != "message":
            pass
        assert stanza.child_text("body") == "still"
        assert (await query(juliet)).texts == []
