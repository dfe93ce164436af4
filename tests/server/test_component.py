"""External components: who is let in, what they may say, and what happens to stanzas while they are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.component import ClientHandshake
from chirrup.core.errors import ConfigError, StreamError
from chirrup.core.parser import Limits
from chirrup.core.xml import Element
from chirrup.server.app import Server
from chirrup.server.config import Config
from chirrup.testing import FakeClock, serve
from chirrup.testing.client import TIMEOUT
from chirrup.testing.server import TestServer

DOMAIN = "echo.localhost"
SECRET = "a secret of some length"


_open: list[asyncio.StreamWriter] = []
"""What has to be closed before the server stops, which would wait for it."""


class Peer:
    """The component's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        _open.append(writer)
        self.stanzas: list[Element] = []

    @classmethod
    async def connect(cls, server: TestServer, domain: str = DOMAIN, secret: str = SECRET) -> Peer:
        peer = cls(*await asyncio.open_connection("127.0.0.1", server.port("component")))
        peer.handshake = ClientHandshake(domain, secret, limits=Limits())
        peer.writer.write(peer.handshake.take())
        while not peer.handshake.receive(await peer.read()):
            peer.writer.write(peer.handshake.take())
        peer.stanzas = peer.handshake.stanzas
        return peer

    handshake: ClientHandshake

    async def read(self) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            data = await self.reader.read(65_536)
        if not data:
            raise ConnectionResetError
        return data

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def receive(self) -> Element:
        while not self.stanzas:
            self.stanzas += self.handshake.parser.feed(await self.read())
        return self.stanzas.pop(0)

    async def error(self) -> str:
        """The condition of the stream error that comes."""
        element = await self.receive()
        assert element.name == "error", element
        first = element.first
        assert first is not None
        return first.name

    async def closed(self) -> None:
        while True:
            try:
                await self.read()
            except ConnectionError:
                return


@asynccontextmanager
async def running(clock: FakeClock | None = None, **config: Any) -> AsyncIterator[TestServer]:
    async with serve({"components": {DOMAIN: {"secret": SECRET, **config}}}, clock=clock) as server:
        try:
            yield server
        finally:
            while _open:
                _open.pop().close()


async def test_a_component_answers_messages_and_questions() -> None:
    async with running() as server:
        peer = await Peer.connect(server)
        alice = await server.client("alice", presence=True)
        alice.send(f"<message to='anybody@{DOMAIN}/place' type='chat'><body>hello</body></message>")
        message = await peer.receive()
        assert message.child_text("body") == "hello"
        assert message.get("from") == alice.jid.text
        peer.send(f"<message to='{message.get('from')}' from='anybody@{DOMAIN}'><body>hello to you</body></message>")
        assert (await alice.receive()).child_text("body") == "hello to you"
        alice.send(f"<iq type='get' id='1' to='{DOMAIN}'><query xmlns='jabber:iq:version'/></iq>")
        assert (await peer.receive()).get("id") == "1"


async def test_a_component_asks_the_host_and_subscribes() -> None:
    async with running() as server:
        peer = await Peer.connect(server)
        alice = await server.client("alice", presence=True)
        peer.send(f"<iq type='get' id='v' to='localhost' from='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert (await peer.receive()).get("type") == "result"
        peer.send(f"<presence type='subscribe' to='{alice.jid.bare}' from='{DOMAIN}'/>")
        assert (await alice.receive()).get("type") == "subscribe"
        alice.send(f"<presence type='subscribed' to='{DOMAIN}'/>")
        assert (await peer.receive()).get("type") == "subscribed"
        assert (await peer.receive()).get("from") == alice.jid.text


async def test_a_component_under_the_host_is_found() -> None:
    async with running() as server:
        alice = await server.client("alice")
        items = Element("query", "http://jabber.org/protocol/disco#items")
        answer = await alice.ask(Element("iq", "jabber:client", items, type="get", to="localhost"))
        query = answer.first
        assert query is not None
        assert [item.get("jid") for item in query.elements("item")] == [DOMAIN]


async def test_order_is_kept_behind_what_must_be_loaded() -> None:
    async with running() as server:
        await server.add_account("bob")
        peer = await Peer.connect(server)
        for number in range(20):
            peer.send(f"<message to='bob@localhost' from='{DOMAIN}' type='chat'><body>{number}</body></message>")
        peer.send(f"<iq type='get' id='v' to='localhost' from='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        await peer.receive()
        bob = await server.client("bob")
        bob.send("<presence/>")
        bodies: list[str] = []
        while len(bodies) < 20:
            element = await bob.receive()
            if element.name == "message":
                bodies.append(element.child_text("body"))
        assert bodies == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("domain", "secret", "condition"),
    [(DOMAIN, "another secret", "not-authorized"), ("localhost", SECRET, "host-unknown")],
)
async def test_strangers_are_refused(domain: str, secret: str, condition: str) -> None:
    async with running() as server:
        with pytest.raises(StreamError) as refused:
            await Peer.connect(server, domain, secret)
        assert refused.value.condition == condition


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        ("<message to='alice@localhost' from='localhost'/>", "invalid-from"),
        (f"<message to='alice@localhost' from='x.{DOMAIN}'/>", "invalid-from"),
        ("<message to='alice@localhost'/>", "improper-addressing"),
        (f"<message from='{DOMAIN}'/>", "improper-addressing"),
        (f"<message to='@' from='{DOMAIN}'/>", "improper-addressing"),
        ("<compress xmlns='http://jabber.org/protocol/compress'/>", "unsupported-stanza-type"),
        ("<message", "not-well-formed"),
    ],
)
async def test_what_a_component_may_not_say(sent: str, condition: str) -> None:
    async with running() as server:
        alice = await server.client("alice", presence=True)
        peer = await Peer.connect(server)
        peer.send(sent + ("" if sent.endswith(">") else "<>"))
        assert await peer.error() == condition
        peer.writer.write_eof()  # which the server waits for a while
        await peer.closed()
        await alice.settle()
        assert not alice.received, "nothing of it came through"


async def test_a_second_connection_is_refused() -> None:
    async with running() as server:
        first = await Peer.connect(server)
        with pytest.raises(StreamError) as refused:
            await Peer.connect(server)
        assert refused.value.condition == "conflict"
        alice = await server.client("alice")
        alice.send(f"<message to='{DOMAIN}'/>")
        assert (await first.receive()).name == "message"


async def test_a_second_connection_replaces_the_first() -> None:
    async with running(conflict="replace") as server:
        first = await Peer.connect(server)
        second = await Peer.connect(server)
        assert await first.error() == "conflict"
        alice = await server.client("alice")
        alice.send(f"<message to='{DOMAIN}'/>")
        assert (await second.receive()).name == "message"


async def test_stanzas_wait_for_a_component_that_comes_back() -> None:
    async with running() as server:
        peer = await Peer.connect(server)
        peer.send("</stream:stream>")
        await peer.closed()
        alice = await server.client("alice", presence=True)
        for number in range(3):
            alice.send(f"<message to='{DOMAIN}' id='{number}'/>")
        await alice.settle()
        again = await Peer.connect(server)
        assert [(await again.receive()).get("id") for _ in range(3)] == ["0", "1", "2"]
        assert not alice.received


async def test_stanzas_are_refused_when_it_stays_away() -> None:
    clock = FakeClock()
    async with running(clock, queue_stanzas=1) as server:
        peer = await Peer.connect(server)
        peer.writer.close()
        alice = await server.client("alice", presence=True)
        while server.server.components[DOMAIN].connection is not None:
            await alice.settle()
        alice.send(f"<message to='{DOMAIN}' id='waits'/>")
        alice.send(f"<message to='{DOMAIN}' id='too many'/>")
        refused = await alice.receive()
        assert refused.get("id") == "too many"
        clock.advance(30)
        late = await alice.receive()
        assert (late.get("id"), late.get("type")) == ("waits", "error")
        assert late.child("error") is not None
        alice.send(f"<iq to='{DOMAIN}' id='q' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert (await alice.receive()).get("type") == "error"


async def test_nobody_there_at_all() -> None:
    async with running() as server:
        alice = await server.client("alice")
        answer = await alice.ask(
            Element("iq", "jabber:client", Element("ping", "urn:xmpp:ping"), type="get", to=DOMAIN)
        )
        error = answer.child("error")
        assert error is not None
        assert error.child("remote-server-timeout", "urn:ietf:params:xml:ns:xmpp-stanzas") is not None


async def test_an_end_of_the_server_is_told() -> None:
    async with running() as server:
        peer = await Peer.connect(server)
        stopping = asyncio.create_task(server.server.stop())
        assert await peer.error() == "system-shutdown"
        peer.writer.close()
        await stopping


async def test_a_component_that_says_nothing() -> None:
    clock = FakeClock()
    async with running(clock) as server:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", server.port("component")))
        peer.handshake = ClientHandshake(DOMAIN, SECRET, limits=Limits())
        peer.writer.write(peer.handshake.take())
        peer.handshake.receive(await peer.read())
        clock.advance(60)
        assert await peer.error() == "connection-timeout"


async def test_a_host_cannot_be_a_component(tmp_path: Path) -> None:
    config = Config.model_validate(
        {"data": str(tmp_path), "components": {"localhost": {"secret": SECRET}}, "listen": {"c2s": {"port": 0}}}
    )
    with pytest.raises(ConfigError, match="domain of its own"):
        await Server(config).start()


def test_the_secret_is_not_shown() -> None:
    config = Config.model_validate({"components": {DOMAIN: {"secret": SECRET}}})
    assert SECRET not in repr(config.components[DOMAIN])
    assert SECRET not in str(config)
