from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import NS
from chirrup.testing import TestClient, TestServer, serve

Ask = Callable[..., Awaitable[Any]]


async def set_preferences(client: TestClient, default: str, *, always: str = "", never: str = "") -> Element:
    """The answer. Lists are given with spaces between their addresses."""
    lists = [
        Element(name, "", *[Element("jid", "", jid) for jid in jids.split()])
        for name, jids in (("always", always), ("never", never))
    ]
    return await client.ask(Element("iq", CLIENT, Element("prefs", NS, *lists, default=default), type="set"))


async def preferences(client: TestClient) -> Element:
    answer = await client.ask(Element("iq", CLIENT, Element("prefs", NS), type="get"))
    assert answer.first is not None
    return answer.first


async def pair(server: TestServer) -> tuple[TestClient, TestClient]:
    juliet = await server.client("juliet@localhost/balcony", presence=True)
    return await server.client("romeo@localhost/orchard", presence=True), juliet


async def say(client: TestClient, text: str, to: str) -> None:
    client.send(f"<message to='{to}' type='chat'><body>{text}</body></message>")
    await client.settle()


async def test_they_are_told_with_both_lists() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        found = await preferences(juliet)
        assert str(found) == f"<prefs xmlns='{NS}' default='always'><always/><never/></prefs>"


async def test_they_outlive_the_server(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        answer = await set_preferences(juliet, "roster", always="ROMEO@montague.lit", never="montague@montague.lit/x")
        expected = (
            f"<prefs xmlns='{NS}' default='roster'><always><jid>romeo@montague.lit</jid></always>"
            "<never><jid>montague@montague.lit/x</jid></never></prefs>"
        )
        assert str(answer.first) == expected
    async with serve(data=tmp_path) as server:
        assert str(await preferences(await server.client("juliet"))) == expected


async def test_what_may_not_be_archived_is_delivered_all_the_same(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await pair(server)
        await set_preferences(juliet, "never")
        await say(romeo, "live", "juliet@localhost")
        await juliet.settle()
        (live,) = [stanza for stanza in juliet.received if stanza.name == "message"]
        assert live.child("stanza-id", "urn:xmpp:sid:0") is None
        await juliet.close()
        await say(romeo, "away", "juliet@localhost")
        juliet = await server.client("juliet@localhost/balcony", presence=True)
        texts = []
        while len(texts) < 1:
            stanza = await juliet.receive()
            if stanza.name == "message":
                texts.append(stanza.child_text("body"))
                assert stanza.child("stanza-id", "urn:xmpp:sid:0") is None
        assert texts == ["away"]
        assert (await query(juliet)).texts == []
        assert (await query(romeo)).texts == ["live", "away"]


async def test_lists(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await pair(server)
        nurse = await server.client("nurse@localhost/kitchen")
        await set_preferences(juliet, "always", never="romeo@localhost", always="romeo@localhost/orchard")
        await say(romeo, "from orchard", "juliet@localhost")
        await say(nurse, "from nurse", "juliet@localhost")
        await say(juliet, "to romeo", "romeo@localhost")
        await say(juliet, "to orchard", "romeo@localhost/orchard")
        assert (await query(juliet)).texts == ["from orchard", "from nurse", "to orchard"]
        await set_preferences(juliet, "never", always="nurse@localhost", never="nurse@localhost/kitchen")
        await say(nurse, "from the kitchen", "juliet@localhost")
        await say(juliet, "to nurse", "nurse@localhost")
        assert (await query(juliet)).texts == ["from orchard", "from nurse", "to orchard", "to nurse"]


async def test_contacts_only(query: Ask) -> None:
    async with serve({"modules": {"archive": {"default": "roster"}}}) as server:
        romeo, juliet = await pair(server)
        await say(romeo, "a stranger", "juliet@localhost")
        item = Element("item", "jabber:iq:roster", jid="romeo@localhost")
        await juliet.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster", item), type="set"))
        await say(romeo, "a contact", "juliet@localhost")
        assert (await query(juliet)).texts == ["a contact"]


@pytest.mark.parametrize(
    ("default", "always", "condition"),
    [("sometimes", "", "bad-request"), ("always", "@@", "bad-request"), ("always", "a@b c@d e@f", "not-acceptable")],
)
async def test_nonsense_is_refused(default: str, always: str, condition: str) -> None:
    async with serve({"modules": {"archive": {"max_preferences": 2}}}) as server:
        juliet = await server.client("juliet")
        answer = await set_preferences(juliet, default, always=always)
        assert read_error(answer).condition == condition
        assert str(await preferences(juliet)) == f"<prefs xmlns='{NS}' default='always'><always/><never/></prefs>"
