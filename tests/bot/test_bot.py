"""What bots hear, obey, refuse, remember and survive: on a stage, without a server."""

from __future__ import annotations

import asyncio
import json
from enum import Enum
from pathlib import Path
from typing import Literal

import pytest

from chirrup import JID, Message
from chirrup.bot import Bot, Incoming, Plugin
from chirrup.core.errors import ConfigError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.carbons.payloads import Received, Sent
from chirrup.ext.commands.payloads import Command
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.testing import Stage, rehearse

ALICE, ROOM = "alice@example.org/home", "room@rooms.example.org/alice"
COMPOSING = Element("composing", "http://jabber.org/protocol/chatstates")
ACTIVE = Element("active", "http://jabber.org/protocol/chatstates")


class Unit(Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


def make(**options: object) -> Bot:
    return Bot("bot@example.org", "password", **options)  # type: ignore[arg-type]


async def test_a_bot_in_three_lines() -> None:
    bot = make()

    @bot.on_message
    async def echo(message: Incoming) -> None:
        await message.reply(message.body)

    async with rehearse(bot) as stage:
        alice = stage.person(ALICE)
        assert await alice.say("hello") == "hello"
        assert alice.received[0].get("to") == ALICE


async def test_what_is_heard_and_responded_to() -> None:
    bot = make()

    @bot.hear(r"\bcoffee\b")
    async def coffee(message: Incoming) -> None:
        await message.reply("Did somebody say coffee?")

    @bot.respond(r"^my name is (\w+)")
    async def name(message: Incoming, called: str) -> None:
        await message.reply(f"Hello, {called}")

    @bot.respond(r"^(?P<left>\d+)\s*\+\s*(?P<right>\d+)$")
    def add(message: Incoming, *, left: str, right: str) -> object:
        return message.reply(str(int(left) + int(right)))

    @bot.on_message
    async def rest(message: Incoming) -> None:
        await message.reply("?")

    async with rehearse(bot) as stage:
        alice, room = stage.person(ALICE), stage.person(ROOM)
        assert await alice.say("I would like some Coffee.") == "Did somebody say coffee?"
        assert await alice.say("My name is Alice") == "Hello, Alice"
        assert await alice.say("2 + 40") == "42"
        assert await alice.say("what?") == "?"
        assert await room.say("coffee, anybody?", room=True) == "Did somebody say coffee?"
        assert await room.say("my name is Alice", room=True) == "?", "the bot isn't meant"
        for named in ("bot: my name is Alice", "bot, my name is Alice", "@Bot my name is Alice"):
            assert await room.say(named, room=True) == "Hello, Alice"
        assert await room.say("bottle: my name is Alice", room=True) == "?"


async def test_commands_with_arguments() -> None:
    bot = make()

    @bot.command("/weather")
    async def weather(message: Incoming, city: str, days: int = 1, unit: Unit = Unit.CELSIUS) -> None:
        """Tells how the weather
        will be.

        This is not for everybody."""
        await message.reply(f"{city}/{days}/{unit.value}")

    @bot.command("/say")
    async def say(message: Incoming, how: Literal["loudly", "softly"], text: str) -> None:
        await message.reply(text.upper() if how == "loudly" else text.lower())

    @bot.command("/sum")
    async def total(message: Incoming, *numbers: float) -> None:
        await message.reply(f"{sum(numbers):g}")

    async with rehearse(bot) as stage:
        alice = stage.person(ALICE)
        assert await alice.say("/weather Verona") == "Verona/1/c"
        assert await alice.say('/weather "New York" 3 f') == "New York/3/f"
        assert await alice.say("/say loudly Good night, good night!") == "GOOD NIGHT, GOOD NIGHT!"
        assert await alice.say("/say softly 'It''s'") == "its"
        assert await alice.say("/sum 1 2.5 -3") == "0.5"
        assert await alice.say("/sum") == "0"
        assert await alice.say("/weather") == "city is missing. Usage: /weather CITY [DAYS] [c|f]"
        assert "days: 'many' is no integer. Usage: /weather" in await alice.say("/weather Verona many")
        assert "'x' is too much" in await alice.say("/weather Verona 1 c x")
        assert (await alice.say("/say aloud hi")).startswith("how: ")
        assert await alice.say("/dance") == "I don't know /dance. /help lists what I can do."
        assert (await alice.say("/help")).splitlines() == [
            "/say loudly|softly TEXT",
            "/sum [NUMBERS …]",
            "/weather CITY [DAYS] [c|f]  –  Tells how the weather will be.",
        ]
        room = stage.person(ROOM)
        assert await room.say("/weather Verona", room=True) == "Verona/1/c"
        assert await room.say("bot: /weather Verona", room=True) == "Verona/1/c"
        assert await room.say("/dance", room=True) == "", "it may be for another bot"


def test_parameters_that_nobody_can_type() -> None:
    bot = make()
    with pytest.raises(ValueError, match="thing"):

        @bot.command("/a")
        def one(message: Incoming, thing: dict[str, str]) -> None: ...

    with pytest.raises(ValueError, match="place"):

        @bot.command("/b")
        def two(message: Incoming, *, thing: str) -> None: ...

    @bot.command("/c")
    def three(message: Incoming) -> None: ...

    with pytest.raises(ValueError, match="already"):
        bot.command("/c")(three)


async def test_who_may() -> None:
    bot = make(allow=["example.org", "romeo@example.net"], roles={"boss": ["juliet@example.com"]})

    @bot.command("/stop", role="boss")
    async def stop(message: Incoming) -> None:
        await message.reply("stopped")

    @bot.on_message
    async def talk(message: Incoming) -> None:
        await message.reply("yes?")

    async with rehearse(bot) as stage:
        for stranger in ("mallory@example.net", "x@sub.example.org", "example.com"):
            assert await stage.person(stranger).converse("hello") == []
        for friend in (ALICE, "romeo@example.net/x", "juliet@example.com"):
            assert await stage.person(friend).say("hello") == "yes?"
        assert await stage.person(ALICE).say("/stop") == "You may not use /stop."
        assert "/stop" not in await stage.person(ALICE).say("/help")
        boss = stage.person("juliet@example.com/balcony")
        assert await boss.say("/stop") == "stopped"
        assert "/stop" in await boss.say("/help")


def test_a_list_with_a_slip() -> None:
    with pytest.raises(ConfigError, match="a b"):
        make(allow=["a b@example.org"])


async def test_handlers_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    bot = make()

    @bot.on_message
    async def divide(message: Incoming) -> None:
        await message.reply(str(1 // int(message.body)))

    async with rehearse(bot) as stage:
        alice = stage.person(ALICE)
        assert await alice.say("0") == "Sorry, something went wrong."
        assert "ZeroDivisionError" in caplog.text
        assert await alice.say("1") == "1"


async def test_what_is_not_for_a_bot() -> None:
    bot = make()
    heard: list[str] = []

    @bot.on_message
    def note(message: Incoming) -> None:
        heard.append(message.body)

    async with rehearse(bot) as stage:
        await stage.person("room@rooms.example.org/bot").say("my own words", room=True)
        await stage.person("room@rooms.example.org").say("the subject changed", room=True)
        stage.deliver(Element("message", CLIENT, Element("body", CLIENT, "no"), type="error", from_=ALICE))
        stage.deliver(Element("message", CLIENT, COMPOSING, type="chat", from_=ALICE))
        await stage.quiet()
        assert heard == []


async def test_what_another_client_of_the_account_was_told_is_not_answered() -> None:
    """XEP-0280 §10.4."""
    bot = make(features=[Carbons])
    heard: list[str] = []

    @bot.on_message
    async def note(message: Incoming) -> None:
        heard.append(message.body)

    async with rehearse(bot) as stage:
        own = stage.jid.bare
        told = Message(own.with_resource("phone"), "for the phone")
        said = Message("alice@example.org", "from the phone")
        for copy, sender, message in ((Received, JID(ALICE), told), (Sent, own.with_resource("phone"), said)):
            inside = copy(Forwarded(None, (message.element.set("from", sender),))).to_element()
            stage.deliver(Element("message", CLIENT, inside, from_=own, to=stage.jid, type="chat"))
        await stage.quiet()
        await stage.person(ALICE).say("for the bot")
    assert heard == ["for the bot"]


async def test_order_within_a_conversation_and_none_between() -> None:
    bot = make()
    begun, gate, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @bot.on_message
    async def slow(message: Incoming) -> None:
        if message.sender.local == "alice":
            begun.set()
            await gate.wait()
        await message.reply(message.body)
        told.set()

    @bot.command("/now", at_once=True)
    async def now(message: Incoming) -> None:
        gate.set()
        await message.reply("now")

    async with rehearse(bot) as stage:
        alice, bob = stage.person(ALICE), stage.person("bob@example.org")
        waiting = [asyncio.create_task(alice.converse(text)) for text in ("1", "2", "3")]
        await begun.wait()
        other = asyncio.create_task(bob.converse("b"))
        await told.wait()
        assert not alice.received
        await alice.converse("/now")
        await asyncio.gather(*waiting, other)
        assert [one.child_text("body", CLIENT) for one in alice.received] == ["now", "1", "2", "3"]


async def test_state_outlives_the_bot(tmp_path: Path) -> None:
    def counting() -> Bot:
        bot = make(state=tmp_path / "state.json")

        @bot.on_message
        async def count(message: Incoming) -> None:
            message.state["count"] = message.state.get("count", 0) + 1
            await message.reply(str(message.state["count"]))

        @bot.hear("nothing")
        async def nothing(message: Incoming) -> None: ...

        return bot

    async with rehearse(counting()) as stage:
        assert [await stage.person(ALICE).say("x") for _ in range(2)] == ["1", "2"]
        assert await stage.person("alice@example.org/phone").say("x") == "3", "it is the same conversation"
        assert await stage.person("bob@example.org").say("x") == "1"
        await stage.person("passer-by@example.org").say("nothing")
    async with rehearse(counting()) as stage:
        assert await stage.person(ALICE).say("x") == "4"
    kept = json.loads((tmp_path / "state.json").read_text())
    assert kept == {"alice@example.org": {"count": 4}, "bob@example.org": {"count": 1}}
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(ConfigError, match=r"state\.json"):
        counting()


async def test_it_is_seen_to_write() -> None:
    bot = make()
    begun, gate = asyncio.Event(), asyncio.Event()

    @bot.on_message
    async def think(message: Incoming) -> None:
        begun.set()
        await gate.wait()
        if message.body != "never mind":
            await message.reply("42")

    async with rehearse(bot) as stage:
        alice = stage.person(ALICE)

        async def states(text: str) -> list[str]:
            """What of the bot's state is shown while it thinks for a second."""
            already = len(alice.received)
            begun.clear()
            gate.clear()
            asking = asyncio.create_task(alice.converse(text, ACTIVE))
            await begun.wait()
            stage.stage_clock.advance(1)
            gate.set()
            await asking
            return [one.name for stanza in alice.received[already:] for one in stanza.elements(ns=ACTIVE.ns)]

        assert await states("What is the answer?") == ["composing", "active"]
        assert await states("never mind") == ["composing", "active"]
        before = len(alice.received)
        gate.set()
        await alice.say("quick")
        assert [one.name for one in alice.received[before].elements()] == ["body"], "who tells nothing isn't told"


async def test_answers_that_grow() -> None:
    bot = make()

    @bot.on_message
    async def tell(message: Incoming) -> None:
        assert isinstance(message.bot.entity, Stage)
        async with message.stream() as answer:
            for word in ("Two ", "households, ", "both ", "alike"):
                message.bot.entity.stage_clock.advance(0.6)
                await answer.write(word)
            if message.body == "fail":
                raise RuntimeError

    async with rehearse(bot) as stage:
        alice = stage.person(ALICE)
        assert await alice.converse("tell") == ["Two households, both alike"]
        texts = [one.child_text("body", CLIENT) for one in alice.received]
        assert texts == ["Two households, ", "Two households, both alike"]
        first, last = alice.received
        correction = last.child("replace", "urn:xmpp:message-correct:0")
        assert correction is not None
        assert correction.get("id") == first.get("id")
        answers = await alice.converse("fail")
        assert answers == ["Two households, both alike", "Sorry, something went wrong."]


async def test_plugins() -> None:
    plugin = Plugin()
    started: list[Bot] = []

    @plugin.command("/ping")
    async def ping(message: Incoming) -> None:
        await message.reply("pong")

    @plugin.on_start
    def start(bot: Bot) -> None:
        started.append(bot)

    bot = make(plugins=[plugin])
    async with rehearse(bot) as stage:
        assert started == [bot]
        assert await stage.person(ALICE).say("/ping") == "pong"
    with pytest.raises(ValueError, match="/ping"):
        bot.use(plugin)


async def test_commands_are_offered_as_such() -> None:
    bot = make(roles={"boss": ["juliet@example.com"]})

    @bot.command("/weather")
    async def weather(message: Incoming, city: str, days: int = 1) -> None:
        "Tells the weather."
        message.state["asked"] = city
        await message.reply(f"{city}: {days}")
        await message.reply("sunny")

    @bot.command("/stop", role="boss")
    async def stop(message: Incoming) -> None: ...

    async with rehearse(bot) as stage:

        async def ask(payload: Element, kind: str = "get") -> Element:
            stage.deliver(Element("iq", CLIENT, payload, type=kind, id="1", from_=ALICE))
            while stage.sent[-1].name != "iq":
                await stage.quiet()
            answer = stage.sent.pop()
            assert answer.get("type") == "result", answer
            assert answer.first is not None
            return answer.first

        items = Element("query", "http://jabber.org/protocol/disco#items", node="http://jabber.org/protocol/commands")
        stage.sent.append(Element("none"))
        listed = await ask(items)
        assert [(one.get("node"), one.get("name")) for one in listed.elements()] == [
            ("bot:weather", "Tells the weather.")
        ]
        first = Command.parse(await ask(Command("bot:weather").to_element(), "set"))
        assert first.form is not None
        assert [(field.var, field.required, field.values) for field in first.form.fields] == [
            ("city", True, ()), ("days", False, ("1",)),
        ]  # fmt: skip
        form = Form("submit", fields=(Field("city", values=("Verona",)), Field("days", values=("2",))))
        done = Command.parse(await ask(Command("bot:weather", first.sessionid, form=form).to_element(), "set"))
        assert (done.status, done.notes[0].text) == ("completed", "Verona: 2\nsunny")
        assert bot.state_of(stage.person(ALICE).jid) == {"asked": "Verona"}
