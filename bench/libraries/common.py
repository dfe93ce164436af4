"""What the programs share. Standard library alone: their interpreters may have nothing else of ours."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

Online = TypeVar("Online")
"""A library's client that is online."""

PASSWORD = "pencils and paper"
"""As in bench.client."""
WARM_UP = 5
"""Clients that are there before memory is looked at."""


def arguments() -> tuple[int, str, int]:
    port, mode, count = sys.argv[1:4]
    return int(port), mode, int(count)


async def begin() -> None:
    """Say that everything is there, and wait for the word."""
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def measure(done: Awaitable[None]) -> None:
    """What passes until the future is done."""
    await begin()
    wall, cpu = time.perf_counter(), time.process_time()
    await done
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)
    # The last answers may still be on their way.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def idle(log_in: Callable[[int], Awaitable[Online]], count: int) -> list[Online]:
    """What a client takes of memory. `log_in(number)` makes one that is online, and returns it."""
    clients = [await log_in(number) for number in range(WARM_UP)]
    before = resident()
    clients += [await log_in(number) for number in range(WARM_UP, WARM_UP + count)]
    await begin()
    print(json.dumps({"kib": (resident() - before) / count}), flush=True)
    return clients


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4
