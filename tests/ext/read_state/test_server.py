from __future__ import annotations

from typing import Any

from chirrup.core.xml import CLIENT, Element
from chirrup.ext.read_state import NS
from chirrup.ext.read_state.payloads import ReadState
from chirrup.ext.stanza_ids.payloads import StanzaId
from chirrup.testing import serve

MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>"
STATE = f"<displayed xmlns='{NS}'><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='0423'/></displayed>"


async def test_a_message_that_says_that_it_was_read(people: Any, friends: Any) -> None:
    """XEP-0490 §3.5: the state is published, and taken out of the message."""
    async with serve() as server:
        juliet, romeo = await friends(server, NS)
        juliet.send(f"<message to='romeo@localhost' id='m'>{MARKER}{STATE}</message>")
        event = await people.arrives(juliet)
        (item,) = event.items.items
        assert item.id == "romeo@localhost"
        assert ReadState.parse(item.payloads[0]).stanza_id == StanzaId("0423", juliet.jid.bare)
        while (message := await romeo.receive()).get("id") != "m":
            pass
        names = [(child.name, child.ns) for child in message.elements()]
        assert ("displayed", "urn:xmpp:chat-markers:0") in names
        assert ("displayed", NS) not in names
        assert await people.items(romeo, NS, to="juliet@localhost") == "not-allowed closed-node"
        assert await people.items(juliet, NS) == ["romeo@localhost"]


async def test_nodes_of_read_states_are_private_and_hold_many(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, NS)
        for chat in "romeo@localhost", "nurse@localhost":
            xml = f"<publish node='{NS}'><item id='{chat}'>{STATE}</item></publish>"
            assert await people.do(juliet, xml) == ""
        assert await people.items(juliet, NS) == ["romeo@localhost", "nurse@localhost"]
        assert await people.told(romeo) == []


async def test_a_state_that_is_none(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        juliet.send(Element("message", "jabber:client", Element("displayed", NS), to="romeo@localhost", id="m"))
        answer = await juliet.receive()
        assert people.condition(answer) == "bad-request"


async def test_neither_copies_nor_the_archive_have_it(people: Any) -> None:
    """XEP-0490 §4.2."""
    async with serve() as server:
        juliet, chamber = await server.client("juliet/balcony"), await server.client("juliet/chamber")
        romeo = await server.client("romeo", presence=True)
        await people.become_available(chamber, NS)
        await chamber.ask(Element("iq", CLIENT, Element("enable", "urn:xmpp:carbons:2"), type="set"))
        juliet.send(f"<message to='romeo@localhost' type='chat' id='m'><body>Read it.</body>{STATE}</message>")
        while (copy := await chamber.receive()).child("sent", "urn:xmpp:carbons:2") is None:
            pass
        assert "Read it." in str(copy)
        assert NS not in str(copy)
        for client in juliet, romeo:
            await client.settle()
            client.received.clear()
            query = Element("iq", CLIENT, Element("query", "urn:xmpp:mam:2"), type="set")
            assert (await client.ask(query)).get("type") == "result"
            (kept,) = [one for one in client.received if one.child("result", "urn:xmpp:mam:2") is not None]
            assert "Read it." in str(kept)
            assert NS not in str(kept)
