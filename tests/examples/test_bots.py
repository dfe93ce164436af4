"""The examples with a server: they chat with the SDK's client, and with each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import pytest

from chirrup import Client, Message, Presence
from chirrup.core.xml import Element
from chirrup.ext.oob.payloads import Link
from chirrup.ext.presence.client import Presences
from chirrup.ext.roster.client import Roster
from chirrup.testing import rehearse, serve
from chirrup.testing.server import TestServer

Load = Callable[[str], ModuleType]
ACTIVE = Element("active", "http://jabber.org/protocol/chatstates")
SECRET = "a secret of some length"


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async with serve({"components": {"echo.localhost": {"secret": SECRET}}}) as running:
        yield running


async def ask(client: Client, to: str, body: str) -> str:
    answers = client.messages()
    await client.send(Message(to, body))
    async with asyncio.timeout(10):
        return (await anext(answers)).body


async def test_echo_bot(server: TestServer, example: Load) -> None:
    bot = example("echo_bot").bot
    bot.entity = await server.sdk("echo")
    async with bot, await server.sdk("alice") as alice:
        assert await ask(alice, "echo@localhost", "hello") == "hello"


async def test_answer_bot(server: TestServer, example: Load) -> None:
    bot = example("answer_bot").bot
    bot.entity = await server.sdk("answers")
    async with bot, await server.sdk("alice") as alice:
        assert (await ask(alice, "answers@localhost", "What is XMPP?")).startswith("XMPP is an open protocol")
        assert await ask(alice, "answers@localhost", "What is love?") == "I don't know. Ask me something else."
        presences = alice.presences(lambda presence: presence.sender.bare.local == "answers")
        await alice.need(Presences).subscribe("answers@localhost")
        async with asyncio.timeout(10):
            while not (await anext(presences)).available:
                pass


async def test_the_answer_bot_in_a_room_speaks_when_it_is_named(example: Load) -> None:
    async with rehearse(example("answer_bot").bot) as stage:
        room = stage.person("room@rooms.localhost/alice")
        assert await room.say("What is a JID?", room=True) == ""
        assert (await room.say("answers: what is a JID?", room=True)).startswith("A JID is")


async def test_echo_component(server: TestServer, example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIRRUP_SECRET", SECRET)
    component = example("echo_component").component
    component._target = type(component._target)("127.0.0.1", server.port("component"))
    async with component, await server.sdk("alice") as alice:
        assert await ask(alice, "anybody@echo.localhost", "hello") == "hello"
        presences = alice.presences(lambda presence: presence.sender.domain == "echo.localhost")
        await alice.need(Roster).load()
        await alice.need(Presences).subscribe("friend@echo.localhost")
        async with asyncio.timeout(10):
            while not (await anext(presences)).available:
                pass


async def test_a_bot_talks_to_the_component(server: TestServer, example: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two examples with each other, once: each would go on for ever."""
    monkeypatch.setenv("CHIRRUP_SECRET", SECRET)
    component = example("echo_component").component
    component._target = type(component._target)("127.0.0.1", server.port("component"))
    bot = example("answer_bot").bot
    bot.entity = await server.sdk("answers")
    heard = bot.entity.messages()
    async with component, bot:
        await bot.entity.send(Message("friend@echo.localhost", "what is a stanza"))
        async with asyncio.timeout(10):
            assert (await anext(heard)).body == "what is a stanza"
            assert (await anext(heard)).body.startswith("A stanza is what travels"), "its own answer, sent back"


async def test_presence_watch(server: TestServer, example: Load, capsys: pytest.CaptureFixture[str]) -> None:
    watch = example("presence_watch")
    alice = await server.sdk("alice", features=[Roster])
    watching = asyncio.create_task(watch.watch(alice, alice.presences(watch.comes_or_goes)))
    async with alice, await server.sdk("bob", available=False) as bob:
        presences = alice.presences(lambda presence: presence.sender.bare.local == "bob")
        await alice.need(Roster).set("bob@localhost", name="Bob")
        await bob.need(Presences).approve("alice@localhost")
        await alice.need(Presences).subscribe("bob@localhost")
        await alice.settle()
        await bob.send(Presence(show="away", status="lunch"))
        await bob.send(Presence(type="unavailable"))
        async with asyncio.timeout(10):
            while (await anext(presences)).type != "unavailable":
                pass
    watching.cancel()
    assert capsys.readouterr().out.splitlines() == ["Bob is here (away, lunch)", "Bob has left"]


async def test_agent_bot(example: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHIRRUP_ALLOW", "example.org")
    monkeypatch.setenv("CHIRRUP_STATE", str(tmp_path / "state.json"))
    bot = example("agent_bot").bot
    async with rehearse(bot) as stage:
        alice, mallory = stage.person("alice@example.org/home"), stage.person("mallory@example.net")
        assert await mallory.say("time") == ""
        assert await alice.say("count one two three", ACTIVE) == "3 words. "
        assert (await alice.say("time")).startswith("It is ")
        await alice.say("look at this", Link("https://example.org/cat.png"))
        history = bot.state_of(alice.jid)["history"]
        assert history[0] == "count one two three"
        assert history[4] == "look at this (https://example.org/cat.png)"
        assert await alice.say("/forget") == "Forgotten."
        assert bot.state_of(alice.jid) == {}
