"""Servers with bystanders, modules of the moment, and people who are still at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chirrup.testing import TestClient, TestServer

HEADER = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)


class Bystanders:
    """Two people of a server who chat, whatever others do."""

    def __init__(self, server: TestServer, alice: TestClient, bob: TestClient) -> None:
        self.server = server
        self.alice = alice
        self.bob = bob
        self._count = 0

    async def outlast(self, task: asyncio.Task[Any]) -> None:
        """Chat for a while, during which `task` must not come to its end."""
        for _ in range(3):
            await self.chat()
            assert not task.done()

    async def chat(self) -> None:
        """One message each way, on the streams that they have had from the start."""
        self._count += 1
        for sender, receiver in ((self.alice, self.bob), (self.bob, self.alice)):
            text = f"{self._count} from {sender.jid.local}"
            sender.send(f"<message to='{receiver.jid}' type='chat'><body>{text}</body></message>")
            assert (await receiver.receive()).child_text("body") == text


@pytest.fixture
def bystanders(
    chirrup_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> Callable[..., AsyncIterator[Bystanders]]:
    """`async with bystanders(settings, clock=…) as they:` is a server with two who chat; at the end they still do, and
    the server has logged no error but where `errors` are expected."""

    @asynccontextmanager
    async def make(
        settings: dict[str, Any] | None = None, *, errors: bool = False, **options: Any
    ) -> AsyncIterator[Bystanders]:
        async with chirrup_server(settings, **options) as server:
            they = Bystanders(server, await server.client("alice"), await server.client("bob"))
            await they.chat()
            yield they
            await they.chat()
        logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert bool(logged) == errors, logged

    return make


@pytest.fixture
def open_stream() -> Callable[..., Any]:
    """`await open_stream(server)`: a raw connection whose stream is open and whose features have come."""

    async def open_stream(server: TestServer, *, direct_tls: bool = False, domain: str = "") -> TestClient:
        client = await server.raw(direct_tls=direct_tls)
        client.send(HEADER.format(domain=domain or server.domain))
        await client.header()
        assert (await client.receive()).name == "features"
        return client

    return open_stream


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """`module(code)` writes a module for the server and returns the settings that switch it on for localhost."""

    def write(code: str) -> dict[str, Any]:
        folder = tmp_path / "modules"
        folder.mkdir(exist_ok=True)
        (folder / "under_test.py").write_text(code)
        return {"modules_folder": str(folder), "hosts": {"localhost": {"modules_enabled": ["under_test"]}}}

    return write
