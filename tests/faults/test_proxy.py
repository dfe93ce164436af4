"""The bad network of these tests does nothing that TCP wouldn't: what arrives is the beginning of what was sent."""

from __future__ import annotations

import asyncio
import itertools
import random

from tests.plugins.proxy import CUTS, NUISANCES, Proxy

SENT = bytes(number * 7 % 251 for number in range(9_973)) * 2
PIECE = 400


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send piece by piece, and see that what comes has no gap."""
    came = 0
    try:
        for start in range(0, len(SENT), PIECE):
            writer.write(SENT[start : start + PIECE])
            piece = await reader.read(PIECE)
            assert piece == SENT[came : came + len(piece)], f"a gap after {came} octets"
            came += len(piece)
            if not piece:
                break
    except OSError:
        pass
    finally:
        writer.transport.abort()


async def test_what_arrives_is_the_beginning_of_what_was_sent() -> None:
    gaps: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except AssertionError as error:
            gaps.append(str(error))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Proxy(lambda: port, random.Random(7), outage=0.01) as proxy, asyncio.timeout(60):
        ways = [await proxy.way() for _ in range(8)]
        storm = asyncio.ensure_future(proxy.storm(100))
        for way in itertools.cycle(ways):
            if storm.done():
                break
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
            except OSError:
                continue
            try:
                async with asyncio.timeout(0.05):
                    await talk(reader, writer)
            except TimeoutError:
                pass  # one end was left alone
        assert set(proxy.faults) == {*CUTS, *NUISANCES}
    assert not gaps
