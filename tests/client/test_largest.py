"""The largest messages that anybody can send cut nobody off: not as they are, copied, nor found in an archive."""

from __future__ import annotations

import asyncio

import pytest

from chirrup import Message
from chirrup.core.parser import Limits
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive.client import Archive
from chirrup.ext.carbons.client import Carbons
from chirrup.testing import serve

TAKEN = Limits()


def deepest() -> Element:
    nested = Element("x", "urn:example")
    for _ in range(TAKEN.depth - 2):
        nested = Element("x", "urn:example", nested)
    return nested


def largest() -> Element:
    return Element("x", "urn:example", "x" * (TAKEN.stanza_bytes - 500))


def most() -> list[Element]:
    return [Element("x", "urn:example") for _ in range(TAKEN.elements - 20)]


@pytest.mark.parametrize("inside", [[deepest()], [largest()], most()], ids=["deepest", "largest", "most"])
async def test_the_largest_messages(inside: list[Element]) -> None:
    async with (
        serve() as server,
        await server.sdk("romeo/home", reconnect=False, features=[Archive, Carbons]) as home,
        await server.sdk("romeo/garden", reconnect=False, features=[Archive, Carbons]) as garden,
    ):
        juliet = await server.client("juliet")
        heard, copied = home.messages(), garden.messages()
        body = Element("body", CLIENT, "large")
        juliet.send(Element("message", CLIENT, body, *inside, to=str(home.jid), type="chat", id="m"))
        await juliet.settle()
        async with asyncio.timeout(10):
            for feed in (heard, copied):
                message: Message = await anext(feed)
                assert message.body == "large"
        for client in (home, garden):
            page = await client.need(Archive).page(before="")
            assert [one.message.body for one in page.messages] == ["large"]
