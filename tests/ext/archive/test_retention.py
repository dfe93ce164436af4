from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import StoreError
from chirrup.ext.archive.retention import AGE_INTERVAL, INTERVAL
from chirrup.ext.rsm.payloads import Set
from chirrup.store.message_rows import MessageRows
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
        assert await server.server.store.messages.count_waiting("juliet@localhost") == 2


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


async def test_of_accounts_that_are_gone_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looked = FakeClock(), list[str]()
    monkeypatch.setattr(MessageRows, "excess", lambda rows, owner, most: looked.append(owner))
    async with serve({"modules": {"archive": {"max_megabytes": 0.005}}}, clock=clock) as server:
        romeo = await server.client("romeo")
        await server.add_account("juliet")
        await say(romeo, "x" * 700)
        await server.server.hosts["localhost"].remove_account("juliet")
        await tidy(server, clock)
        assert looked == ["romeo@localhost"]


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


async def test_one_that_grows_a_little_between_restarts_is_looked_at_too(
    tmp_path: Path, query: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a server that is started often would never see that it has become too large."""
    settings = {"modules": {"archive": {"max_megabytes": 0.005}}}
    lengths = []
    for before_the_start in (0.0, 0.99):
        monkeypatch.setattr("chirrup.ext.archive.retention.random", lambda grown=before_the_start: grown)
        clock = FakeClock()
        async with serve(settings, data=tmp_path, clock=clock) as server:
            romeo = await server.client("romeo")
            messages = server.server.store.messages
            for _ in range(10):
                value = f"<message>{'x' * 500}</message>"
                messages.add(("romeo@localhost", messages.next_id(0), "a@b", "", value, True, False))
            romeo.send("<message to='a@b.example' type='chat'><body>few</body></message>")
            await romeo.settle()
            await tidy(server, clock)
            lengths.append((await query(romeo, Set(max=0))).fin.set.count)
    assert lengths == [11, 8]


async def test_what_could_not_be_shortened_is_tried_again(query: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    async with serve({"modules": {"archive": {"max_megabytes": 0.005, "days": 1}}}, clock=clock) as server:
        romeo = await server.client("romeo")
        await server.add_account("juliet")
        for number in range(10):
            await say(romeo, f"{number}{'x' * 700}")
        with monkeypatch.context() as broken:
            broken.setattr(MessageRows, "excess", _refuse)
            await tidy(server, clock)
        assert len((await query(romeo)).texts) == 10
        await tidy(server, clock)
        assert len((await query(romeo)).texts) == 5
        clock.advance(2 * DAY)
        with monkeypatch.context() as broken:
            broken.setattr(MessageRows, "aged", _refuse)
            await tidy(server, clock)
        assert len((await query(romeo)).texts) == 5
        await tidy(server, clock)
        assert (await query(romeo)).texts == []


def _refuse(*_: object, **__: object) -> None:
    raise StoreError("not now")


async def test_what_is_too_old_goes_from_many_archives_in_one_write() -> None:
    clock = FakeClock()
    async with serve({"modules": {"archive": {"days": 1}}}, clock=clock) as server:
        messages = server.server.store.messages
        owners = [f"{number}@localhost" for number in range(30)]
        for owner in owners:
            await messages.add((owner, messages.next_id(clock.time()), "a@localhost", "", "<message/>", True, False))
        before = server.server.store.health().groups
        await tidy(server, clock, DAY + AGE_INTERVAL)
        assert await messages.owners() == []
        assert server.server.store.health().groups - before == 1
