"""Servers with components that speak raw XML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chirrup.core.component import ClientHandshake
from chirrup.core.parser import Limits
from chirrup.core.xml import Element
from chirrup.testing import TestServer
from chirrup.testing.client import TIMEOUT

SECRET = "a secret of some length"


class RawComponent:
    """The component's end of a connection."""

    def __init__(self, domain: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.domain = domain
        self._reader, self._writer = reader, writer
        self._handshake = ClientHandshake(domain, SECRET, limits=Limits())
        self.received: list[Element] = []

    async def open(self) -> None:
        self._writer.write(self._handshake.take())
        while not self._handshake.receive(await self._read()):
            self._writer.write(self._handshake.take())
        self.received += self._handshake.stanzas

    async def _read(self) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            data = await self._reader.read(65_536)
        if not data:
            raise ConnectionResetError
        return data

    def send(self, text: str) -> None:
        self._writer.write(text.encode())

    async def receive(self) -> Element:
        while not self.received:
            self.received += self._handshake.parser.feed(await self._read())
        return self.received.pop(0)

    async def ask(self, text: str) -> Element:
        """Send a request; the next stanza that comes."""
        self.send(text)
        return await self.receive()

    async def settle(self) -> list[Element]:
        """What has come until the server has answered a ping."""
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        self.send(f"<iq type='get' id='settled' to='localhost' from='{self.domain}'>{ping}</iq>")
        came: list[Element] = []
        while (element := await self.receive()).get("id") != "settled":
            came.append(element)
        return came

    def close(self) -> None:
        self._writer.close()


class WithComponents:
    """A server and its components."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.opened: list[RawComponent] = []

    async def component(self, domain: str) -> RawComponent:
        streams = await asyncio.open_connection("127.0.0.1", self.server.port("component"))
        component = RawComponent(domain, *streams)
        self.opened.append(component)
        await component.open()
        return component

    async def gone(self, domain: str) -> None:
        """Until the server knows that a component has closed its connection."""
        other = await self.server.client("bystander")
        async with asyncio.timeout(TIMEOUT):
            while self.server.server.components[domain].connection is not None:
                await other.settle()


@pytest.fixture
def with_components(chirrup_server: Callable[..., Any]) -> Callable[..., Any]:
    """`async with with_components(settings, domain, …) as they:` is a server that has components of these domains."""

    @asynccontextmanager
    async def make(settings: dict[str, Any], *domains: str, **options: Any) -> Any:
        configured = {domain: {"secret": SECRET} for domain in domains}
        async with chirrup_server({**settings, "components": configured}, **options) as server:
            they = WithComponents(server)
            try:
                yield they
            finally:
                for component in they.opened:
                    component.close()

    return make


@pytest.fixture
def component_secret() -> str:
    """The secret of all these components."""
    return SECRET
