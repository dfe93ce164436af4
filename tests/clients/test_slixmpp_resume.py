"""slixmpp comes back through connections that are cut: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest


class Line:
    """A connection to the server by way of which octets pass, until it is cut, at either end or in the middle of what
    is under way."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._open: list[asyncio.StreamWriter] = []
        self._pieces: asyncio.Server | None = None
        self._held = False

    async def open(self) -> None:
        self._pieces = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._pieces.sockets[0].getsockname()[1]

    def hold(self) -> None:
        """From now on what the server says gets lost."""
        self._held = True

    def cut(self) -> None:
        """Cut what is open, without a word to anybody."""
        self._held = False
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def close(self) -> None:
        self.cut()
        if self._pieces is not None:
            self._pieces.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._open += [writer, back]
        await asyncio.gather(self._carry(reader, back, False), self._carry(there, writer, True))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, down: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if not (down and self._held):
                    writer.write(data)
        except ConnectionError:
            pass
        writer.close()


@pytest.fixture
async def line(server: Any) -> Any:
    line = Line(server.port)
    await line.open()
    yield line
    line.close()


async def on_a_line(connect: Any, line: Line, name: str) -> Any:
    """Somebody with stream management on that line."""
    person = connect(name, port=line.port)
    person.register_plugin("xep_0198")
    for event in ("sm_enabled", "session_resumed", "sm_failed"):
        person.listen(event)
    await person.come_online()
    await person.next("sm_enabled")
    return person


async def come_back(person: Any, line: Line) -> None:
    await person.next("disconnected")
    person.connect("127.0.0.1", line.port)


async def test_coming_back_through_cut_connections(connect: Any, online: Any, line: Line) -> None:
    alice = await on_a_line(connect, line, "alice")
    bob = await online("bob")
    said, heard = [], []
    for round_ in range(4):
        bob.send_message(alice.boundjid, f"{round_}: before", mtype="chat")
        if round_ % 2:
            line.hold()
        alice.send_message(bob.boundjid, f"{round_}: from alice", mtype="chat")
        bob.send_message(alice.boundjid, f"{round_}: into the dark", mtype="chat")
        await bob.plugin["xep_0199"].ping("localhost")
        line.cut()
        bob.send_message("alice@localhost", f"{round_}: while away", mtype="chat")
        await bob.plugin["xep_0199"].ping("localhost")
        await come_back(alice, line)
        await alice.next("session_resumed")
        said += [f"{round_}: {text}" for text in ("before", "into the dark", "while away")]
        heard.append(f"{round_}: from alice")
    assert [(await alice.next("message"))["body"] for _ in said] == said
    assert [(await bob.next("message"))["body"] for _ in heard] == heard
    await alice.plugin["xep_0199"].ping("localhost")
    assert not alice.waiting("message")
    assert not bob.waiting("message")


async def test_what_the_server_never_got_is_sent_again(connect: Any, online: Any, line: Line) -> None:
    alice = await on_a_line(connect, line, "alice")
    bob = await online("bob")
    line.cut()
    for number in range(3):
        alice.send_message(bob.boundjid, str(number), mtype="chat")
    await come_back(alice, line)
    await alice.next("session_resumed")
    assert [(await bob.next("message"))["body"] for _ in range(3)] == ["0", "1", "2"]


async def test_a_session_that_is_gone(connect: Any, online: Any, line: Line) -> None:
    alice = await on_a_line(connect, line, "alice")
    alice.plugin["xep_0198"].sm_id = "forged"
    line.cut()
    await come_back(alice, line)
    await alice.next("sm_failed")
    await alice.next("sm_enabled")
    bob = await online("bob")
    bob.send_message(alice.boundjid, "a new one", mtype="chat")
    assert (await alice.next("message", lambda m: m["body"] == "a new one"))["to"] == alice.boundjid
