"""Acknowledged means stored: a writer is killed in the middle of its work, and what it said was stored is there."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chirrup.store import Store

Opener = Callable[..., Awaitable[Store]]

ROUNDS = 8
WRITERS = 20

PROGRAM = """
import asyncio, itertools, sys
from chirrup.store import Store

async def write(store, owner):
    for number in itertools.count():
        identity = await store.log("offline").append(owner, f"{number} ".ljust(300, "x"), stamp=float(number))
        print(owner, number, identity, flush=True)

async def main(url, prefix, writers):
    store = await Store.open(url, exclusive=True)
    await asyncio.gather(*(write(store, f"{prefix}-{n}@example.org") for n in range(int(writers))))

asyncio.run(main(*sys.argv[1:]))
"""


def write_until_killed(url: str, prefix: str, lines: int) -> list[tuple[str, int, int]]:
    """What a writer acknowledged (owner, number, id) before it was killed, some time after so many lines."""
    command = [sys.executable, "-c", PROGRAM, url, prefix, str(WRITERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        told = [line for line, _ in zip(writer.stdout, range(lines), strict=False)]
        writer.kill()
        told += writer.stdout.readlines()
        assert len(told) >= lines, writer.stderr.read()
    whole = [line.split() for line in told if line.endswith("\n")]
    return [(owner, int(number), int(identity)) for owner, number, identity in whole]


@pytest.mark.timeout(300)
async def test_what_was_acknowledged_survives_kill(url: str, open_store: Opener, tmp_path: Path) -> None:
    chance = random.Random(7)
    for round_ in range(ROUNDS):
        acknowledged = write_until_killed(url, f"r{round_}", chance.randrange(1, 600))
        store = await open_store(url)
        stored: dict[str, list[tuple[int, int]]] = {}
        for owner in {owner for owner, _, _ in acknowledged}:
            entries = await store.log("offline").read(owner, limit=100_000)
            stored[owner] = [(int(entry.value.split()[0]), entry.id) for entry in entries]
            assert all(len(entry.value) == 300 for entry in entries)
            assert [number for number, _ in stored[owner]] == list(range(len(entries))), "in order, once, no gap"
        assert [ack for ack in acknowledged if ack[1:] not in stored[ack[0]]] == []
        await store.close()
