"""People with clients that show what they want to hear of: the fixtures `people` and `friends`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.caps.hashes import verification_string
from chirrup.ext.caps.payloads import Caps
from chirrup.ext.disco import INFO
from chirrup.ext.disco.payloads import Feature, Identity, Info
from chirrup.ext.pubsub.event_payloads import Event
from chirrup.testing import TestClient, TestServer

NS = "http://jabber.org/protocol/pubsub"


class People:
    """What the tests of publish-subscribe do over and over."""

    NS = NS

    async def become_available(self, client: TestClient, *nodes: str) -> None:
        """Send presence whose capabilities say that the client wants to hear of these nodes, and answer what the server
        asks about that."""
        info = self.info(*nodes)
        client.send(self.presence(*nodes))
        await client.settle()
        for stanza in list(client.received):
            if stanza.name == "iq" and stanza.get("type") == "get":
                client.received.remove(stanza)
                answer = Element("iq", CLIENT, info.to_element(), type="result", to=stanza.get("from"))
                client.send(answer.set("id", stanza.get("id")))
        await client.settle()

    def info(self, *nodes: str) -> Info:
        """What a client can do that wants to hear of these nodes."""
        features = [INFO, *(f"{node}+notify" for node in nodes)]
        return Info(None, (Identity("client", "pc", "Test"),), tuple(map(Feature, features)))

    def presence(self, *nodes: str) -> Element:
        """Presence of such a client."""
        return Element(
            "presence", CLIENT, Caps("urn:test", verification_string(self.info(*nodes)), "sha-1").to_element()
        )

    async def befriend(self, one: TestClient, other: TestClient) -> None:
        """Let both see each other's presence."""
        for subscriber, contact in (one, other), (other, one):
            contact.send(f"<presence type='subscribed' to='{subscriber.jid.bare}'/>")
            await contact.settle()
            subscriber.send(f"<presence type='subscribe' to='{contact.jid.bare}'/>")
            await subscriber.settle()
            await contact.settle()
        await one.settle()
        one.received.clear()
        other.received.clear()

    async def ask(self, client: TestClient, xml: str, *, kind: str = "get", to: object = None, ns: str = NS) -> Element:
        """Send what is inside of <pubsub/>; the answer."""
        pubsub = parse_element(f"<pubsub xmlns='{ns}'>{xml}</pubsub>")
        return await client.ask(Element("iq", CLIENT, pubsub, type=kind, to=to))

    async def do(self, client: TestClient, xml: str, *, to: object = None, ns: str = NS) -> str:
        """Send a set; "" when it was done, else the error's condition, and pubsub's own."""
        return self.condition(await self.ask(client, xml, kind="set", to=to, ns=ns))

    async def own(self, client: TestClient, xml: str, *, to: object = None) -> str:
        """The same, for what owners do."""
        return await self.do(client, xml, to=to, ns=f"{NS}#owner")

    def condition(self, answer: Element) -> str:
        if answer.get("type") == "result":
            return ""
        error = read_error(answer)
        return " ".join(filter(None, (error.condition, error.app.rpartition("}")[2])))

    async def publish(
        self, client: TestClient, node: str, item: str = "", text: str = "x", to: object = None, **options: str
    ) -> str:
        """Publish an item, with options; as `do`."""
        name = f" id='{item}'" if item else ""
        xml = f"<publish node='{node}'><item{name}><payload xmlns='urn:test'>{text}</payload></item></publish>"
        return await self.do(client, xml + self.options(**options), to=to)

    def options(self, form_type: str = f"{NS}#publish-options", tag: str = "publish-options", **options: str) -> str:
        """A form in <publish-options/>, or in another element."""
        if not options:
            return ""
        fields = "".join(
            f"<field var='pubsub#{name}'>" + "".join(f"<value>{one}</value>" for one in value.split(",")) + "</field>"
            for name, value in options.items()
        )
        hidden = f"<field var='FORM_TYPE' type='hidden'><value>{form_type}</value></field>"
        return f"<{tag}><x xmlns='jabber:x:data' type='submit'>{hidden}{fields}</x></{tag}>"

    async def items(self, client: TestClient, node: str, inside: str = "", to: object = None, **attrs: object) -> Any:
        """The ids of a node's items, or the error."""
        written = "".join(f" {name}='{value}'" for name, value in attrs.items())
        answer = await self.ask(client, f"<items node='{node}'{written}>{inside}</items>", to=to)
        if answer.get("type") != "result":
            return self.condition(answer)
        pubsub = answer.first
        assert pubsub is not None
        listed = pubsub.child("items")
        assert listed is not None
        return [item.get("id") for item in listed.elements("item")]

    async def told(self, client: TestClient) -> list[Event]:
        """The events that have come."""
        await client.settle()
        await client.settle()
        events = []
        for stanza in list(client.received):
            if stanza.name == "message" and (event := Event.find(stanza)) is not None:
                client.received.remove(stanza)
                events.append(event)
        return events

    async def arrives(self, client: TestClient) -> Event:
        """The next event, when it comes. What comes before it stays in `received`."""
        others: list[Element] = []
        while True:
            stanza = await client.receive()
            if stanza.name == "message" and (event := Event.find(stanza)) is not None:
                client.received.extendleft(reversed(others))
                return event
            others.append(stanza)

    async def item_arrives(self, client: TestClient) -> str:
        """The node and the id of the next item, when it comes, such as "tune a"."""
        event = await self.arrives(client)
        assert event.items is not None
        return f"{event.items.node} {event.items.items[0].id}"

    async def told_items(self, client: TestClient) -> list[str]:
        """The ids of the items that have come, and of those that were retracted with a "-" before them."""
        found = []
        for event in await self.told(client):
            assert event.items is not None, event
            found += [item.id or "" for item in event.items.items]
            found += [f"-{retract.id}" for retract in event.items.retracts]
        return found


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def friends(people: People) -> Callable[..., Any]:
    """Makes juliet and romeo, who see each other, and who want to hear of these nodes."""

    async def make(server: TestServer, *nodes: str) -> tuple[TestClient, TestClient]:
        juliet, romeo = await server.client("juliet/balcony"), await server.client("romeo/orchard")
        await people.become_available(juliet, *nodes)
        await people.become_available(romeo, *nodes)
        await people.befriend(juliet, romeo)
        while server.server._tasks:  # one looks for last items, and would find what is published from now on
            await romeo.settle()
        return juliet, romeo

    return make
