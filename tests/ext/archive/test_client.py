from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chirrup import JID, Message, StanzaError
from chirrup.core.stanza import result as stanza_result
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import NS
from chirrup.ext.archive.client import Archive
from chirrup.ext.archive.payloads import Always, Fin, Preferences
from chirrup.ext.rsm.payloads import First, Set
from chirrup.testing import serve

WORDS = [f"word {number}" for number in range(7)]


async def test_what_was_said_is_found_page_by_page() -> None:
    async with serve() as server, await server.sdk("romeo") as romeo, await server.sdk("juliet") as juliet:
        for text in WORDS:
            await romeo.send(Message("juliet@localhost", text))
        await romeo.settle()
        await juliet.send(Message("romeo@localhost", "answer"))
        await juliet.settle()
        archive = juliet.need(Archive)
        found = [one async for one in archive.messages(limit=3)]
        assert [one.message.body for one in found] == [*WORDS, "answer"]
        assert [one.message.outgoing for one in found] == [False] * 7 + [True]
        assert found[0].message.sender == romeo.jid
        stamps = [one.stamp for one in found if one.stamp is not None]
        assert stamps == sorted(stamps)
        assert len(stamps) == 8
        newest = await archive.page(before="", limit=2)
        assert [one.message.body for one in newest.messages] == ["word 6", "answer"]
        assert (newest.complete, newest.count) == (False, 8)
        later = await archive.page(after=found[5].id, with_=romeo.jid.bare)
        assert ([one.message.body for one in later.messages], later.complete) == (["word 6", "answer"], True)
        assert [one.message.body for one in (await archive.page(start=stamps[6], end=stamps[6])).messages] == ["word 6"]
        assert [one.message.body for one in (await archive.page(text="answer")).messages] == ["answer"]
        ends = await archive.ends()
        assert ends.start is not None
        assert ends.end is not None
        assert (ends.start.id, ends.end.timestamp) == (found[0].id, stamps[-1])
        with pytest.raises(StanzaError, match="item-not-found"):
            await archive.page(after="nothing")
        with pytest.raises(StanzaError, match="forbidden"):
            await archive.page(at="romeo@localhost")


async def test_preferences() -> None:
    async with serve() as server, await server.sdk("juliet") as juliet:
        archive = juliet.need(Archive)
        wanted = Preferences("never", always=Always((JID("romeo@localhost"),)))
        assert (await archive.set_preferences(wanted)).default == "never"
        held = await archive.preferences()
        assert held.always == wanted.always


async def test_nobody_else_can_make_history() -> None:
    def result(query: str, text: str) -> Element:
        return parse_element(
            f"<result xmlns='{NS}' id='1' queryid='{query}'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"<message xmlns='{CLIENT}' from='a@b/x'><body>{text}</body></message></forwarded></result>"
        )

    async with serve() as server, await server.sdk("juliet") as juliet:
        room = await server.client("room@localhost/x", presence=True)
        mallory = await server.client("mallory@localhost/x")
        room.send(f"<presence to='{juliet.jid}'/>")  # else she couldn't ask it anything
        await room.settle()
        heard = juliet.messages()
        asking = asyncio.ensure_future(juliet.need(Archive).page(at=room.jid))
        while (asked := await room.receive()).name != "iq":
            pass
        query = asked.child("query", NS)
        assert query is not None
        for client, queryid, text in (
            (mallory, query.get("queryid"), "forged"),
            (room, "another", "unasked"),
            (room, query.get("queryid"), "true"),
        ):
            client.send(Element("message", CLIENT, result(queryid, text), to=juliet.jid))
            await client.settle()
        room.send(stanza_result(asked, Fin(complete=True).to_element()))
        assert [one.message.body for one in (await asking).messages] == ["true"]
        mallory.send(Element("message", CLIENT, Element("body", CLIENT, "hello"), to=juliet.jid))
        assert (await anext(heard)).body == "hello"


async def test_everything_from_either_end() -> None:
    async with serve() as server, await server.sdk("romeo") as romeo, await server.sdk("juliet") as juliet:
        for text in WORDS:
            await romeo.send(Message("juliet@localhost", text))
        await romeo.settle()
        archive = juliet.need(Archive)

        async def texts(**which: Any) -> list[str]:
            return [one.message.body.removeprefix("word ") async for one in archive.messages(limit=2, **which)]

        assert await texts(newest_first=True) == ["6", "5", "4", "3", "2", "1", "0"]
        ids = [one.id async for one in archive.messages()]
        assert await texts(after=ids[1], before=ids[5]) == ["2", "3", "4"]
        assert await texts(after=ids[1], before=ids[5], newest_first=True) == ["4", "3", "2"]
        assert await texts(before=ids[2], newest_first=True) == ["1", "0"]
        assert await texts(ids=[ids[4], ids[0]]) == ["0", "4"]
        assert await texts(ids=[]) == []
        assert await texts(text="word", with_="romeo@localhost", after=ids[4]) == ["5", "6"]
        assert await texts(with_="nobody@localhost") == []
        between = await archive.page(after=ids[0], before=ids[5], limit=2)
        assert ([one.id for one in between.messages], between.first, between.last) == (ids[3:5], ids[3], ids[4])


async def test_an_archive_that_knows_no_ids_is_not_asked_by_them() -> None:
    """§4.1: not before it has said that it does."""
    async with serve() as server, await server.sdk("juliet") as juliet:
        room = await server.client("room@localhost/x", presence=True)
        room.send(f"<presence to='{juliet.jid}'/>")
        await room.settle()
        asking = asyncio.ensure_future(juliet.need(Archive).page(at=room.jid, ids=["1"]))
        while (asked := await room.receive()).name != "iq":
            pass
        assert asked.child("query", "http://jabber.org/protocol/disco#info") is not None
        room.send(stanza_result(asked, asked.first))
        with pytest.raises(StanzaError, match="by their ids"):
            await asking


async def test_an_archive_that_goes_in_circles() -> None:
    async with serve() as server, await server.sdk("juliet") as juliet:
        room = await server.client("room@localhost/x", presence=True)
        room.send(f"<presence to='{juliet.jid}'/>")
        await room.settle()

        async def everything() -> list[str]:
            return [one.id async for one in juliet.need(Archive).messages(at=room.jid)]

        asking = asyncio.ensure_future(everything())
        for _ in range(2):
            while (asked := await room.receive()).name != "iq":
                pass
            room.send(stanza_result(asked, Fin(set=Set(first=First("1"), last="1")).to_element()))
        assert await asking == []
