"""Handlers that are coroutines: in order, beside one another, and without a task each."""

from __future__ import annotations

import asyncio
import logging

import pytest

from chirrup.client.workers import Workers


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_that_do_not_wait_share_a_task() -> None:
    tasks: set[object] = set()
    order: list[int] = []
    workers = Workers()

    async def handle(number: int) -> None:
        tasks.add(asyncio.current_task())
        order.append(number)

    for number in range(100):
        workers.start(handle(number))
    await settle()
    assert order == list(range(100))
    assert len(tasks) == 1
    assert len(workers) == 0


async def test_those_that_wait_hold_up_nobody() -> None:
    order: list[str] = []
    gate = asyncio.Event()
    workers = Workers()

    async def handle(name: str, waits: bool) -> None:
        order.append(name)
        if waits:
            await gate.wait()
            await asyncio.sleep(0)
            order.append(f"{name} again")

    for name, waits in (("a", False), ("b", True), ("c", False), ("d", True), ("e", False)):
        workers.start(handle(name, waits))
    await settle()
    assert order == ["a", "b", "c", "d", "e"]
    assert len(workers) == 2
    workers.start(handle("f", False))
    await settle()
    gate.set()
    await settle()
    assert order == ["a", "b", "c", "d", "e", "f", "b again", "d again"]
    assert len(workers) == 0


async def test_so_many_may_wait() -> None:
    gate = asyncio.Event()
    begun: list[int] = []
    workers = Workers(most=2)

    async def handle(number: int) -> None:
        begun.append(number)
        await gate.wait()

    for number in range(5):
        workers.start(handle(number))
    await settle()
    assert begun == [0, 1]
    gate.set()
    await settle()
    assert begun == [0, 1, 2, 3, 4]
    assert len(workers) == 0


async def test_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers()
    done: list[int] = []

    async def at_once() -> None:
        raise ZeroDivisionError

    async def later() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def fine() -> None:
        done.append(1)

    for work in (at_once(), fine(), later(), fine(), cancelled(), fine()):
        workers.start(work)
    with caplog.at_level(logging.ERROR):
        await settle()
    assert len(done) == 3
    failed = [record.getMessage() for record in caplog.records]
    assert [line.rpartition(".")[2] for line in failed] == ["at_once", "later"]
    assert len(workers) == 0


async def test_a_timeout_inside_a_handler() -> None:
    caught = asyncio.Event()
    workers = Workers()

    async def handle() -> None:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            caught.set()

    workers.start(handle())
    await caught.wait()


async def test_stopping() -> None:
    ended: list[str] = []
    workers = Workers(most=1)

    async def handle(name: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(name)

    async def stop() -> None:
        await workers.stop()
        ended.append("stopped")

    workers.start(handle("a"))
    workers.start(handle("b"))
    await settle()
    await stop()
    assert ended == ["a", "stopped"]
    assert len(workers) == 0
