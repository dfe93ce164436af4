"""The generator's clients against a real server."""

from __future__ import annotations

import asyncio

import pytest
from bench.client import available, close, connect

from chirrup.testing import serve

OPEN = {"modules": {"registration": {"mode": "open", "registrations_per_hour": 1000}}}


async def test_clients_register_and_log_in_with_tls() -> None:
    async with serve(OPEN) as server:
        users = await available(server.port(), ["alice", "bob"])
        assert [user.jid.partition("/")[0] for user in users] == ["alice@localhost", "bob@localhost"]
        close(users)


async def test_a_wrong_log_in_is_an_error_and_not_a_wait() -> None:
    async with serve(OPEN) as server:
        with pytest.raises(RuntimeError, match="not-authorized"):
            await connect(server.port(), "nobody", tls=False)


async def test_a_server_that_leaves_is_an_error_for_who_waits_and_silence_for_others() -> None:
    async with serve(OPEN) as server:
        waiting, idle = await available(server.port(), ["alice", "bob"], tls=False)
        expected = asyncio.ensure_future(waiting.expect(b"never"))
        await asyncio.sleep(0)
    with pytest.raises(ConnectionResetError):
        await expected
    assert idle.lost
