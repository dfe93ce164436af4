"""A small relay that looks like a server to the load generator, and can lose messages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from bench.peers import Running
from bench.process import Process

END = b"</message>"


class OwnProcess:
    """This process, where a server's is asked for."""

    def cpu(self) -> float:
        return sum(os.times()[:2])

    def peak_memory(self) -> int:
        return 0


class Losing(asyncio.Protocol):
    """Passes messages on from `S n` to `R n`, as bench.relay does, except every so-manieth (0: none is lost)."""

    def __init__(self, receivers: dict[bytes, asyncio.Transport], every: int) -> None:
        self._receivers = receivers
        self._every = every
        self._to: asyncio.Transport | None = None
        self._rest = b""
        self._seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._to is None:
            line, _, data = data.partition(b"\n")
            kind, _, number = line.partition(b" ")
            if kind == b"R":
                self._receivers[number] = self._transport
            else:
                self._to = self._receivers[number]
            self._transport.write(b"ok\n")
            return
        *messages, self._rest = (self._rest + data).split(END)
        for message in messages:
            self._seen += 1
            if not self._every or self._seen % self._every:
                self._to.write(message + END)


@pytest.fixture
def losing_server() -> Callable[[int], object]:
    """`async with losing_server(100) as server` runs one that loses every hundredth message of each pair."""

    @asynccontextmanager
    async def run(every: int) -> AsyncIterator[Running]:
        receivers: dict[bytes, asyncio.Transport] = {}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Losing(receivers, every), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            yield Running("relay", "", cast("Process", OwnProcess()), port, 0.0, 0.0)

    return run
