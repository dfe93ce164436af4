"""What the host asks: answers come from whoever was asked, or from the server in their place."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.testing import serve

PING = "urn:xmpp:ping"


async def test_the_servers_own_answers_are_answers() -> None:
    async with serve() as server, asyncio.timeout(10):
        await server.add_account("alice")
        iq = server.server.hosts["localhost"].iq
        answer = await iq.ask(JID("localhost"), Element("ping", PING))
        assert (answer.get("type"), answer.get("from")) == ("result", "localhost")
        for to, condition in (
            ("elsewhere.example", "remote-server-not-found"),
            ("alice@localhost/nowhere", "service-unavailable"),
            ("nobody@localhost", "service-unavailable"),
        ):
            with pytest.raises(StanzaError, match=condition):
                await iq.ask(JID(to), Element("ping", PING))


async def test_what_a_handler_refuses_is_an_answer() -> None:
    async with serve() as server, asyncio.timeout(10):
        await server.add_account("alice")
        iq = server.server.hosts["localhost"].iq
        for account in ("alice@localhost", "nobody@localhost"):
            with pytest.raises(StanzaError, match="forbidden"):
                await iq.ask(JID(account), Element("query", "jabber:iq:roster"))


async def test_nobody_else_can_answer() -> None:
    async with serve() as server, asyncio.timeout(10):
        alice = await server.client("alice", presence=True)
        mallory = await server.client("mallory")
        asked = server.server.hosts["localhost"].iq.ask(alice.jid, Element("ping", PING))
        stanza = await alice.receive()
        forged = f"<iq type='result' id='{stanza.get('id')}' to='localhost'/>"
        mallory.send(forged)
        await mallory.settle()
        assert not asked.done()
        alice.send(forged)
        assert (await asked).get("from") == alice.jid.text
