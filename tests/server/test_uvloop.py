"""What event loops do differently, on the one that `chirrup serve` runs on; other tests run on Python's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from chirrup.testing import FakeClock

Run = Callable[..., None]


@pytest.fixture
def on_uvloop(bystanders: Callable[..., Any]) -> Run:
    """`on_uvloop(test, settings, …)` runs `test(they)` while two people chat."""

    def run(test: Callable[[Any], Awaitable[None]], settings: dict[str, Any] | None = None, **options: Any) -> None:
        async def main() -> None:
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
            async with bystanders(settings, **options) as they:
                await test(they)

        uvloop.run(main())

    return run


@pytest.mark.parametrize("direct_tls", [True, False])
def test_log_in_over_tls(on_uvloop: Run, direct_tls: bool):
    """Where TLS comes first, uvloop has read the client's hello before any task runs."""

    async def log_in(they: Any) -> None:
        for _ in range(5):
            carol = await they.server.client("carol", direct_tls=direct_tls)
            await carol.settle()

    on_uvloop(log_in)


def test_who_never_begins_tls_is_cut_off(on_uvloop: Run):
    clock = FakeClock()

    async def wait(they: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", they.server.port("c2s_direct_tls"))
        silent = asyncio.create_task(reader.read())
        await they.outlast(silent)
        clock.advance(61)
        assert await silent == b""
        writer.close()
        while len(they.server.server.connections) > 2:
            await they.chat()

    on_uvloop(wait, clock=clock)


def test_who_does_not_read_is_not_read(on_uvloop: Run):
    """uvloop reads megabytes in one turn; what answers that is no reason to cut the client off."""

    async def flood(they: Any) -> None:
        carol = await they.server.client("carol")
        for number in range(400):
            carol.send(f"<message to='{carol.jid}' id='{number}'><body>{'a' * 50_000}</body></message>")
        for _ in range(20):
            await they.chat()
        assert [(await carol.receive()).get("id") for _ in range(400)] == [str(number) for number in range(400)]

    on_uvloop(flood, {"limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}})


def test_everybody_hears_of_the_end(chirrup_server: Callable[..., Any]):
    async def main() -> None:
        async with chirrup_server() as server:
            clients = [await server.client("alice"), await server.client("bob", direct_tls=True), await server.raw()]
            end = asyncio.create_task(server.server.stop())
            for client in clients:
                error = await client.end()
                assert error is not None and error.condition == "system-shutdown"
                assert client.parser.ended
            await end

    uvloop.run(main())
