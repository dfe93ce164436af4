"""Components of the SDK at Chirrup's own server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chirrup import JID, AuthenticationError, Client, Component, ConnectionState, Message, NetworkError, StreamError
from chirrup.ext.disco.client import Disco
from chirrup.ext.ping.payloads import Ping
from chirrup.ext.version.payloads import Version
from chirrup.testing import FakeClock, serve
from chirrup.testing.server import TestServer

DOMAIN, SECRET = "echo.localhost", "a secret of some length"


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async with serve({"components": {DOMAIN: {"secret": SECRET}}}) as running:
        yield running


def component(server: TestServer, domain: str = DOMAIN, **options: Any) -> Component:
    return Component(domain, **{"secret": SECRET, "port": server.port("component"), **options})


async def ask(client: Client, to: str, body: str) -> Message:
    """Send something, and wait for the answer."""
    answers = client.messages()
    await client.send(Message(to, body))
    async with asyncio.timeout(10):
        return await anext(answers)


async def test_it_answers_from_the_address_that_was_written_to(server: TestServer) -> None:
    echo = component(server)

    @echo.on_message
    async def reply(message: Message) -> None:
        await message.reply(message.body.upper())

    async with echo, await server.sdk("alice") as alice:
        for address in (DOMAIN, f"anybody@{DOMAIN}", f"anybody@{DOMAIN}/place"):
            answer = await ask(alice, address, "hello")
            assert (answer.sender, answer.body) == (JID(address), "HELLO")


async def test_it_is_discovered(server: TestServer) -> None:
    echo = component(server, name="Echo", category="gateway", type="irc")
    async with echo, await server.sdk("alice") as alice:
        disco = alice.need(Disco)
        assert JID(DOMAIN) in [item.jid for item in await disco.items("localhost")]
        info = await disco.info(DOMAIN)
        assert [(one.category, one.type, one.name) for one in info.identities] == [("gateway", "irc", "Echo")]
        assert await disco.find_service("gateway", "irc") == JID(DOMAIN)
        assert (await alice.request(Version(), to=DOMAIN)).name
        await alice.request(Ping(), to=f"anybody@{DOMAIN}", result=None)


async def test_it_asks_in_its_own_name(server: TestServer) -> None:
    async with component(server) as echo, await server.sdk("alice/home") as alice:
        assert (await echo.request(Version(), to="localhost")).name == "Chirrup"
        messages = alice.messages()
        await echo.send(Message("alice@localhost", "hello"))
        await echo.send(Message("alice@localhost", "hello").speaking_as(f"bot@{DOMAIN}"))
        async with asyncio.timeout(10):
            assert [(await anext(messages)).sender.text for _ in range(2)] == [DOMAIN, f"bot@{DOMAIN}"]
        await echo.settle()


async def test_a_wrong_secret(server: TestServer) -> None:
    echo = component(server, secret="another")
    with pytest.raises(AuthenticationError, match=DOMAIN):
        await echo.connect(retry=True)
    assert echo.state is ConnectionState.OFFLINE


async def test_a_domain_that_the_server_does_not_know(server: TestServer) -> None:
    with pytest.raises(StreamError, match=r"host-unknown.*other\.localhost"):
        await component(server, "other.localhost").connect(retry=True)


async def test_another_is_there_already(server: TestServer) -> None:
    async with component(server):
        with pytest.raises(StreamError, match="conflict"):
            await component(server).connect()


async def test_nobody_is_there() -> None:
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1"):
        await Component(DOMAIN, secret=SECRET, port=9).connect()


async def test_it_comes_back(server: TestServer) -> None:
    clock = FakeClock()
    echo = component(server, clock=clock)
    came: list[str] = []
    got = asyncio.Event()

    @echo.on_message
    def note(message: Message) -> None:
        came.append(message.body)
        got.set()

    async with echo, await server.sdk("alice") as alice:
        connection = server.server.components[DOMAIN].connection
        assert connection is not None
        connection.abort()
        states = echo.states()
        async for change in states:
            if change.state is ConnectionState.WAITING:
                break
        await alice.send(Message(DOMAIN, "while you were away"))
        await alice.settle()
        clock.advance(60)
        async with asyncio.timeout(10):
            await echo.online()
            await got.wait()
        assert came == ["while you were away"]


async def test_a_server_that_says_nothing() -> None:
    clock = FakeClock()
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    echo = Component(DOMAIN, secret=SECRET, port=port, clock=clock)
    connecting = asyncio.create_task(echo.connect())
    states = echo.states()
    async for change in states:
        if change.state is ConnectionState.NEGOTIATING:
            break
    while not connecting.done():
        await asyncio.sleep(0)
        clock.advance(10)
    with pytest.raises(NetworkError, match=r"waiting for .* to take the component"):
        await connecting
    silent.close()
