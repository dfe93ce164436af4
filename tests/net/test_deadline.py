"""Deadlines by a clock that is handed in."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import DeadlineError
from chirrup.net.deadline import Deadline
from chirrup.testing import FakeClock


async def test_what_takes_too_long_is_named() -> None:
    clock = FakeClock()

    async def wait() -> None:
        async with Deadline(clock, 5, "waiting for Godot"):
            await asyncio.get_running_loop().create_future()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    clock.advance(4.9)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(0.1)
    with pytest.raises(DeadlineError, match="waiting for Godot: nothing for 5 s") as caught:
        await waiting
    assert caught.value.step == "waiting for Godot"
    assert isinstance(caught.value, TimeoutError)


async def test_what_is_in_time_leaves_nothing_behind() -> None:
    clock = FakeClock()
    async with Deadline(clock, 5, "…"):
        pass
    assert clock.waiting == 0
    with pytest.raises(ZeroDivisionError):
        async with Deadline(clock, 5, "…"):
            raise ZeroDivisionError
    assert clock.waiting == 0


async def test_a_cancellation_by_others_is_none_of_it() -> None:
    clock = FakeClock()

    async def wait() -> None:
        async with Deadline(clock, 5, "…"):
            await asyncio.get_running_loop().create_future()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    clock.advance(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_inner_of_two_says_what_it_was() -> None:
    clock = FakeClock()

    async def wait() -> None:
        async with Deadline(clock, 9, "outer"), Deadline(clock, 5, "inner"):
            await asyncio.get_running_loop().create_future()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    clock.advance(5)
    with pytest.raises(DeadlineError, match="inner"):
        await waiting
