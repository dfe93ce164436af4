"""Contacts on another server: what it is sent, and what it may ask."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.caps.hashes import verification_string
from chirrup.ext.caps.payloads import Caps
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.disco import INFO
from chirrup.ext.disco.payloads import Feature, Identity, Info
from chirrup.testing import TestClient, TestServer, serve

ROMEO, ORCHARD = JID("romeo@montague.example"), JID("romeo@montague.example/orchard")
JULIET = JID("juliet@localhost")
WANTS_TUNES = Info(None, (Identity("client", "pc"),), (Feature(INFO), Feature("tune+notify")))
CAPS = Caps("urn:test", verification_string(WANTS_TUNES), "sha-1").to_element()


class Montague:
    """Another server, which keeps what it is sent."""

    patient = False

    def __init__(self, server: TestServer) -> None:
        self.host = server.server.hosts["localhost"]
        self.came: list[Element] = []
        self._something = asyncio.Event()
        server.server.router.add("montague.example", self)

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Any) -> None:
        self.came.append(stanza)
        self._something.set()

    def answer(self, stanza: Element) -> None:
        self.came.append(stanza)

    def hold(self, stored: Any, stanza: Element) -> None:
        """It doesn't acknowledge anything."""

    async def send(self, stanza: Element, sender: JID = ORCHARD, to: JID = JULIET) -> None:
        stanza.set("from", sender).set("to", to)
        waiting = self.host.receive(stanza, to, sender, self)
        if waiting is not None:
            await waiting

    async def arrives(self, name: str) -> Element:
        """The next of one kind, when it comes."""
        async with asyncio.timeout(20):
            while not any(stanza.name == name for stanza in self.came):
                self._something.clear()
                await self._something.wait()
        found = next(stanza for stanza in self.came if stanza.name == name)
        self.came.remove(found)
        return found

    def take(self, name: str) -> list[Element]:
        """What came of one kind, each once."""
        found = [stanza for stanza in self.came if stanza.name == name]
        self.came = [stanza for stanza in self.came if stanza.name != name]
        return found


async def befriend(juliet: TestClient, montague: Montague) -> None:
    juliet.send(f"<presence to='{ROMEO}' type='subscribe'/><presence to='{ROMEO}' type='subscribed'/>")
    await juliet.settle()
    await montague.send(Element("presence", CLIENT, type="subscribed"), ROMEO)
    await montague.send(Element("presence", CLIENT, type="subscribe"), ROMEO)
    await juliet.settle()
    montague.came.clear()


async def test_a_contact_elsewhere(people: Any) -> None:
    async with serve() as server:
        montague = Montague(server)
        juliet = await server.client("juliet", presence=True)
        await befriend(juliet, montague)
        await people.publish(juliet, "tune", "a")
        await people.publish(juliet, "mood", "a")
        assert montague.take("message") == []

        await montague.send(Element("presence", CLIENT, CAPS))
        await juliet.settle()
        (question,) = montague.take("iq")
        assert (question.get("from"), question.get("to")) == (JULIET.text, ORCHARD.text)
        assert montague.take("message") == []
        answer = Element("iq", CLIENT, WANTS_TUNES.to_element(), type="result", id=question.get("id"))
        await montague.send(answer)
        message = await montague.arrives("message")  # the last item
        assert (message.get("from"), message.get("to")) == (JULIET.text, ORCHARD.text)

        await people.publish(juliet, "tune", "b")
        await people.publish(juliet, "mood", "b")
        assert [message.get("to") for message in montague.take("message")] == [ORCHARD.text]
        await montague.send(Element("presence", CLIENT, CAPS))  # nothing new
        await juliet.settle()
        assert montague.take("message") == montague.take("iq") == []

        await montague.send(Element("presence", CLIENT, type="unavailable"))
        await people.publish(juliet, "tune", "c")
        assert montague.take("message") == []
        assert server.server.hosts["localhost"].module(Capabilities).features_of(ORCHARD) is None


async def test_a_contact_elsewhere_of_somebody_who_is_away(people: Any, tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        montague = Montague(server)
        juliet = await server.client("juliet", presence=True)
        await befriend(juliet, montague)
        await people.publish(juliet, "tune", "a")
    async with serve(data=tmp_path) as server:
        montague = Montague(server)
        await montague.send(Element("presence", CLIENT))  # says nothing of what it wants
        await montague.send(Element("presence", CLIENT, CAPS), JID("tybalt@montague.example/street"))  # no contact
        await montague.send(Element("presence", CLIENT, CAPS), to=JID("nobody@localhost"))
        assert montague.came == []
        await montague.send(Element("presence", CLIENT, CAPS))
        question = await montague.arrives("iq")
        answer = Element("iq", CLIENT, WANTS_TUNES.to_element(), type="result", id=question.get("id"))
        await montague.send(answer)
        assert (await montague.arrives("message")).get("to") == ORCHARD.text


async def test_what_a_contact_elsewhere_may_ask(people: Any) -> None:
    async with serve() as server:
        montague = Montague(server)
        juliet = await server.client("juliet", presence=True)
        await people.publish(juliet, "tune", "a")

        async def ask() -> Element:
            items = Element("items", "http://jabber.org/protocol/pubsub", node="tune")
            pubsub = Element("pubsub", "http://jabber.org/protocol/pubsub", items)
            try:
                await montague.send(Element("iq", CLIENT, pubsub, type="get", id="1"))
            except Exception as error:
                return Element(getattr(error, "condition", ""), "error")
            return montague.take("iq")[0]

        assert (await ask()).name == "not-authorized"
        await befriend(juliet, montague)
        answer = await ask()
        assert answer.get("type") == "result"
        assert "id='a'" in str(answer)


async def test_a_contact_whose_presence_was_there_before_it_might_see_anything(people: Any) -> None:
    """Last items are for it when it may, though its presence isn't new then."""
    async with serve() as server:
        montague = Montague(server)
        juliet = await server.client("juliet", presence=True)
        await people.publish(juliet, "tune", "a")
        juliet.send(f"<presence to='{ROMEO}' type='subscribe'/>")
        await juliet.settle()
        await montague.send(Element("presence", CLIENT, type="subscribed"), ROMEO)
        await people.become_available(await server.client("nurse"), "tune")  # so that the hash is known
        await montague.send(people.presence("tune"))
        await juliet.settle()
        assert montague.take("message") == []
        await montague.send(Element("presence", CLIENT, type="subscribe"), ROMEO)
        juliet.send(f"<presence to='{ROMEO}' type='subscribed'/>")
        assert (await montague.arrives("message")).get("to") == ORCHARD.text
        await juliet.settle()
        assert montague.take("message") == []


async def test_a_crowd_of_strangers_takes_no_place_of_contacts(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.ext.pubsub.personal._MAX_STRANGERS", 2)
    monkeypatch.setattr("chirrup.ext.pubsub.personal._MAX_CLIENTS", 2)
    async with serve() as server:
        montague = Montague(server)
        juliet = await server.client("juliet", presence=True)
        await befriend(juliet, montague)
        for name in "abcd":
            await montague.send(Element("presence", CLIENT), JID(f"{name}@montague.example/x"))
        for resource in "abcd":
            await montague.send(Element("presence", CLIENT, CAPS), ROMEO.with_resource(resource))
        await juliet.settle()
        for question in montague.take("iq"):
            answer = Element("iq", CLIENT, WANTS_TUNES.to_element(), type="result", id=question.get("id"))
            await montague.send(answer, JID(question.get("to")))
        await people.publish(juliet, "tune", "a")
        assert [message.get("to") for message in montague.take("message")] == [f"{ROMEO}/a", f"{ROMEO}/b"]
