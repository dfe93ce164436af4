from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chirrup import Message
from chirrup.core.errors import StanzaError
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.carbons import NS
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.carbons.payloads import Received
from chirrup.ext.forwarding.payloads import Forwarded
from chirrup.testing import serve


async def first(feed: Any) -> Any:
    async with asyncio.timeout(10):
        return await anext(feed)


async def test_both_sides_of_a_conversation_come() -> None:
    async with (
        serve() as server,
        await server.sdk("romeo/home") as home,
        await server.sdk("romeo/garden", features=[Carbons]) as garden,
        await server.sdk("juliet/balcony") as juliet,
    ):
        copies, at_home, at_juliets = garden.messages(), home.messages(), juliet.messages()
        await home.send(Message("juliet@localhost/balcony", "which light breaks?"))
        sent = await first(copies)
        assert (sent.body, sent.outgoing, sent.sender) == ("which light breaks?", True, home.jid)
        question = await first(at_juliets)
        await question.reply("it is the east")
        assert (await first(at_home)).body == "it is the east"
        received = await first(copies)
        assert (received.body, received.outgoing, received.sender) == ("it is the east", False, juliet.jid)
        await sent.reply("and Juliet is the sun")
        answered = await first(at_juliets)
        assert (answered.body, answered.sender) == ("and Juliet is the sun", garden.jid)


async def test_errors_that_another_client_gets_are_errors_here_too() -> None:
    async with (
        serve() as server,
        await server.sdk("romeo/home") as home,
        await server.sdk("romeo/garden", features=[Carbons]) as garden,
    ):
        copies = garden.messages(lambda _: True)
        await home.send(Message("nobody@localhost", "hello?", id="m"))
        assert (await first(copies)).outgoing
        returned = await first(copies)
        assert (returned.type, returned.id, str(returned.sender)) == ("error", "m", "nobody@localhost")
        assert returned.error.condition == "service-unavailable"
        assert returned.copied


async def test_they_are_switched_off() -> None:
    async with (
        serve() as server,
        await server.sdk("romeo/home") as home,
        await server.sdk("romeo/garden", features=[Carbons]) as garden,
    ):
        copies = garden.messages()
        await garden.need(Carbons).disable()
        await home.send(Message("juliet@localhost", "one"))
        await home.settle()
        await garden.need(Carbons).enable()
        await home.send(Message("juliet@localhost", "two"))
        assert (await first(copies)).body == "two"


async def test_a_server_without_them_is_no_fault() -> None:
    async with (
        serve({"hosts": {"localhost": {"modules_disabled": ["carbons"]}}}) as server,
        await server.sdk("romeo", features=[Carbons]) as romeo,
    ):
        with pytest.raises(StanzaError, match="service-unavailable"):
            await romeo.need(Carbons).enable()


NAMES = "xmlns='jabber:client' from='juliet@localhost'"


def copy_of(stanza: str) -> Element:
    return Received(Forwarded(None, (parse_element(stanza),))).to_element()


@pytest.mark.parametrize(
    ("sender", "inside"),
    [
        ("tybalt@localhost/home", copy_of(f"<message {NAMES}><body>x</body></message>")),
        ("romeo@localhost/home", copy_of(f"<message {NAMES}><body>x</body></message>")),
        ("romeo@localhost", copy_of("<presence xmlns='jabber:client' from='juliet@localhost'/>")),
        ("romeo@localhost", copy_of("<message xmlns='jabber:client' from='@'><body>x</body></message>")),
        (
            "romeo@localhost",
            parse_element(
                f"<sent xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' "
                "from='juliet@localhost'><body>x</body></message></forwarded></sent>"
            ),
        ),
    ],
)
async def test_what_can_not_be_a_copy_is_dropped(sender: str, inside: Element) -> None:
    """A server that passes on everything: nobody sees what others than the own account say."""
    async with (
        serve({"hosts": {"localhost": {"modules_disabled": ["carbons"]}}}) as server,
        await server.sdk("romeo/garden", features=[Carbons]) as romeo,
    ):
        everything = romeo.messages(lambda _: True)
        session = server.server.hosts["localhost"].accounts["romeo"].sessions["garden"]
        body = Element("body", CLIENT, "look")
        session.send(Element("message", CLIENT, body, inside, from_=sender, to=romeo.jid, type="chat"))
        session.send(Element("message", CLIENT, Element("body", CLIENT, "after"), from_=sender, to=romeo.jid))
        assert (await first(everything)).body == "after"
