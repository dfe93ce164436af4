"""What the scripts share. Standard library alone: their interpreters may have nothing else of ours."""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path

PASSWORD = "pencils and paper"
"""As in bench.client."""
WARM_UP = 5
"""Clients that are there before memory is looked at."""


def arguments():
    port, mode, count = sys.argv[1:4]
    return int(port), mode, int(count)


async def begin():
    """Say that everything is there, and wait for the word."""
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def measure(done):
    """What passes until the future is done."""
    await begin()
    wall, cpu = time.perf_counter(), time.process_time()
    await done
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)
    await asyncio.get_running_loop().run_in_executor(
        None, sys.stdin.readline
    )  # the last answers may still be on their way


async def idle(log_in, count):
    """What a client takes of memory. `log_in(number)` makes one that is online, and returns it."""
    clients = [await log_in(number) for number in range(WARM_UP)]
    before = resident()
    clients += [await log_in(number) for number in range(WARM_UP, WARM_UP + count)]
    await begin()
    print(json.dumps({"kib": (resident() - before) / count}), flush=True)
    return clients


def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4
