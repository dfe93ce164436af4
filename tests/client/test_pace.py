"""A server that sends more than the program takes is read only as fast as that goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import Client, Message, StreamError
from chirrup.client import session
from chirrup.ext.version.payloads import Version

TIMEOUT = 20
CHUNK = 100
MESSAGE = "<message from='bob@localhost/b'><body>x</body></message>"


async def flood(peer: Peer, chunks: int) -> None:
    """Send chunks of messages, each as soon as the one before has left."""
    for _ in range(chunks):
        peer.send(MESSAGE * CHUNK)
        await peer.drain()


async def held_back(client: Client) -> None:
    """Return when the client reads no more."""
    link = client._link
    assert link is not None
    reached = asyncio.Event()
    pause = link.transport.pause_reading

    def paused() -> None:
        reached.set()
        pause()

    link.transport.pause_reading = paused  # type: ignore[method-assign]
    if not link._paused:
        await reached.wait()


async def test_handlers_that_are_slow(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        await flood(peer, 100)
        peer.send("<message from='bob@localhost/b'><body>last</body></message>")
        await peer.end()

    client = liar.client(script)
    gate = asyncio.Event()
    last = asyncio.Event()
    most = 0

    @client.on_message
    async def slow(message: Message) -> None:
        nonlocal most
        most = max(most, len(client._dispatcher.workers))
        await gate.wait()
        if message.body == "last":
            last.set()

    await client.connect()
    liar.go.set()
    async with asyncio.timeout(TIMEOUT):
        await held_back(client)
        held = most
        gate.set()
        await last.wait()
    assert held < session._ENOUGH + 2000  # what had come in one piece
    await client.close()


async def test_readers_that_are_slow(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        await flood(peer, 100)
        await peer.end()

    client = liar.client(script)
    messages = client.messages()
    await client.connect()
    liar.go.set()
    async with asyncio.timeout(TIMEOUT):
        await held_back(client)
        came = [(await anext(messages)).body for _ in range(100 * CHUNK)]
    assert len(came) == 100 * CHUNK
    assert all(came), "each has its text"
    assert not len(messages), "and none came twice"
    await client.close()


async def test_an_answer_gets_through(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers that wait for an answer don't wait for ever, just because so many of them do."""
    monkeypatch.setattr(session, "_ENOUGH", 10)

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.send(MESSAGE * 20)
        iqs = [await peer.read() for _ in range(20)]
        peer.send(MESSAGE * 20)
        for iq in iqs:
            peer.send(f"<iq type='result' id='{iq.get('id')}'><query xmlns='jabber:iq:version'/></iq>")
        await peer.end()

    client = liar.client(script)
    answers: asyncio.Queue[Version] = asyncio.Queue()

    @client.on_message
    async def ask(message: Message) -> None:
        answers.put_nowait(await client.request(Version()))

    await client.connect()
    liar.go.set()
    async with asyncio.timeout(TIMEOUT):
        for _ in range(20):
            await answers.get()
    await client.close()


async def test_a_flood_while_an_answer_is_awaited(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_ENOUGH", 100)
    monkeypatch.setattr(session, "_TOO_MANY", 1000)

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.read()
        await flood(peer, 100)
        await peer.end()

    client = liar.client(script)

    @client.on_message
    async def slow(message: Message) -> Any:
        await asyncio.get_running_loop().create_future()

    await client.connect()
    with pytest.raises(Exception, match=r"before the answer|more was sent than this client can take"):
        await client.request(Version())
    with pytest.raises(StreamError, match="more was sent than this client can take"):
        await client.wait_closed()
    assert len(client._dispatcher.workers) < 3000
    await client.close()
    assert len(client._dispatcher.workers) == 0
