"""PostgreSQL is killed and restarted, and loses its connections, again and again, while people with two devices each
chat over a server that keeps its data in it; sometimes the server is killed meanwhile, too.

CHIRRUP_FAULT_ROUNDS sets how often, CHIRRUP_FAULT_SEED repeats what chance chose."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.plugins import kills
from tests.plugins.devices import Town
from tests.plugins.programs import ServerProcess
from tests.plugins.proxy import Proxy

from chirrup.core.errors import StreamError
from chirrup.testing import TestClient
from chirrup.testing.client import credentials

ROUNDS = int(os.environ.get("CHIRRUP_FAULT_ROUNDS", "5"))
AWAY = 1.0
"""Seconds for which it is away, at most."""
BOTH = 0.2
"""The share of times that the server goes with it."""


@pytest.mark.timeout(120 + 20 * ROUNDS)
async def test_it_goes_and_comes_back_while_people_chat(
    postgres: Any, postgres_url: str, server_process: Callable[..., ServerProcess], choose: random.Random
) -> None:
    server = server_process(plaintext=True, store=postgres_url, extra=kills.SETTINGS)
    server.start()
    names = [f"person{number}" for number in range(kills.PEOPLE)]
    server.add_accounts(*names)
    async with Proxy(lambda: server.port, choose, outage=0) as proxy:
        town = Town(proxy, choose, names)
        await town.come()
        try:
            town.chat(kills.PAUSE, ask=True)
            for _ in range(ROUNDS):
                await asyncio.sleep(choose.uniform(0, kills.UP))
                await trouble(postgres, server, choose)
                assert not town.offline, town.offline
            town.fall_silent()
            await town.settle()
            outcome = await kills.outcome(town, ROUNDS)
        finally:
            await town.leave()
    print(outcome)
    assert outcome.messages
    assert not lacks(town, outcome)
    assert not outcome.disordered
    assert "Traceback" not in server.log
    assert [line for line in server.complaints if " storage failed " not in line] == []


def lacks(town: Town, outcome: kills.Outcome) -> list[str]:
    """What isn't in an archive, or on a device, that should have it, and wasn't returned: so are messages to those who
    aren't in the server's memory, as it can't find out then whether there is such an account."""
    returned = {error.partition(": ")[0] for device in town.devices for error in device.history.errors}
    lacking = [*outcome.lost, *outcome.unarchived, *outcome.unshown]
    return [one for one in lacking if one.partition(" (")[0] not in returned]


async def trouble(postgres: Any, server: ServerProcess, choose: random.Random) -> None:
    how = choose.choice(["connections", "immediate", "fast"])
    if how == "connections":
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chirrup'"
        await asyncio.to_thread(postgres.sql, terminate)
        return
    await asyncio.to_thread(postgres.stop, how)
    try:
        await asyncio.sleep(choose.uniform(0, AWAY))
        both = choose.random() < BOTH
        if both:
            server.kill()
    finally:
        await asyncio.to_thread(postgres.start)
    if both:
        await asyncio.to_thread(server.start)


async def test_what_is_told_while_it_is_away(
    postgres: Any, postgres_url: str, server_process: Callable[..., ServerProcess]
) -> None:
    server = server_process(plaintext=True, store=postgres_url, extra=kills.SETTINGS)
    server.start()
    server.add_accounts("juliet", "romeo")
    postgres.stop("immediate")
    try:
        for name in ("juliet", "romeo"):
            with pytest.raises(StreamError, match="internal-server-error"):  # clients try again, with this one
                await log_in(server, name)
        told = server.command("status")
        assert f"PostgreSQL database {postgres_url.partition('@/')[2].partition('?')[0]}" in told
        assert "is the server running" in told
    finally:
        postgres.start()
    (await log_in(server, "juliet")).drop()
    assert "is the server running" not in server.command("status")
    [failed] = server.complaints
    assert "storage failed" in failed
    assert "storage works again" in server.log


async def log_in(server: ServerProcess, name: str) -> TestClient:
    client = await TestClient.connect("127.0.0.1", server.port)
    await client.log_in(credentials(name, "secret", "x", tls_required=False), "localhost")
    return client
