"""What has settled is stored: a client with stream management waits for the acknowledgement."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from chirrup import Client, ConnectionState, DeadlineError, Message
from chirrup.core.errors import Disconnected, StreamError
from chirrup.ext.ping.client import Pings
from chirrup.server.session import Session
from chirrup.store.message_rows import Range
from chirrup.testing import TestServer, serve


@asynccontextmanager
async def slow_disk(server: TestServer) -> AsyncIterator[Callable[[], None]]:
    """Nothing is stored until what is given is called, or the end."""
    gate = threading.Event()
    server.server.store.submit(lambda connection: gate.wait(30))
    try:
        yield gate.set
    finally:
        gate.set()


async def write(client: Client) -> None:
    """Write to somebody, and hear of the server that it goes on meanwhile."""
    await client.send(Message("bob@localhost", "Are you there?"))
    await client.need(Pings).ping()


def session(server: TestServer) -> Session:
    """Alice's."""
    (found,) = server.server.hosts["localhost"].accounts["alice"].sessions.values()
    return found


async def test_it_waits_until_all_is_stored() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        await server.client("bob", presence=True)
        async with slow_disk(server) as go_on:
            await write(alice)
            settling = asyncio.create_task(alice.settle())
            await alice.need(Pings).ping()
            assert not settling.done()
            go_on()
            await settling
        assert len(await server.server.store.messages.page("bob@localhost", Range(), limit=9)) == 1
        await alice.settle()


async def test_it_does_not_wait_for_ever() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        await server.client("bob", presence=True)
        async with slow_disk(server):
            await write(alice)
            with pytest.raises(DeadlineError) as caught:
                await alice.settle(timeout=0.2)
            assert caught.value.step == "waiting for the server's acknowledgement"
        await alice.settle()


async def test_the_session_ends_before_that() -> None:
    async with serve() as server, await server.sdk("alice", reconnect=False) as alice:
        await server.client("bob", presence=True)
        async with slow_disk(server):
            await write(alice)
            settling = asyncio.create_task(alice.settle())
            await alice.need(Pings).ping()
            await alice.need(Pings).ping()
            session(server).wire.fail(StreamError("policy-violation"))
            with pytest.raises(Disconnected, match="before the"):
                await settling


async def test_the_session_goes_on_elsewhere() -> None:
    """The connection is lost meanwhile, and the acknowledgement comes by another one."""
    async with serve() as server, await server.sdk("alice") as alice:
        await server.client("bob", presence=True)
        async with slow_disk(server) as go_on:
            await write(alice)
            settling = asyncio.create_task(alice.settle())
            await alice.need(Pings).ping()
            states = alice.states()
            session(server).wire.abort()
            while (await anext(states)).state is ConnectionState.ONLINE:
                pass
            go_on()
        await settling
        assert len(await server.server.store.messages.page("bob@localhost", Range(), limit=9)) == 1
