from __future__ import annotations

import asyncio

from chirrup import JID
from chirrup.core.values import parse_element
from chirrup.ext.bookmarks import NS
from chirrup.ext.bookmarks.client import Bookmarks, Change
from chirrup.ext.bookmarks.payloads import Conference, Extensions
from chirrup.ext.pubsub.client import PRIVATE, Pubsub
from chirrup.testing import serve

ROOM = JID("council@rooms.example.org")


async def test_bookmarks_are_the_same_everywhere() -> None:
    async with (
        serve() as server, await server.sdk("alice") as alice, await server.sdk("alice", features=[Bookmarks]) as phone,
        asyncio.timeout(20),
    ):  # fmt: skip
        theirs = phone.need(Bookmarks)
        changes = theirs.changes()
        bookmarks = await alice.need(Bookmarks).load()
        assert list(bookmarks) == []
        await bookmarks.set(ROOM, name="Council", autojoin=True, nick="Puck")
        assert await anext(changes) == Change(ROOM, Conference("Council", True, "Puck"))
        assert theirs.get("council@rooms.example.org") == Conference("Council", True, "Puck")
        await theirs.set(ROOM, autojoin=False)
        assert await anext(changes) == Change(ROOM, Conference("Council", False, "Puck"))
        await bookmarks.remove(ROOM)
        assert await anext(changes) == Change(ROOM, None)
        assert len(theirs) == len(bookmarks) == 0


async def test_what_other_clients_keep_with_a_bookmark_stays() -> None:
    """XEP-0402 §3.2."""
    extensions = Extensions((parse_element("<colour xmlns='urn:other'>green</colour>"),))
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        node = alice.need(Pubsub).node(NS, Conference)
        await node.publish(Conference("Council", extensions=extensions), ROOM.text, options=PRIVATE)
        bookmarks = await alice.need(Bookmarks).load()
        assert (await bookmarks.set(ROOM, nick="Puck")).extensions == extensions
        last = await node.last()
        assert last is not None
        assert last.payload == Conference("Council", nick="Puck", extensions=extensions)


async def test_bookmarks_are_private_before_anything_is_in_them() -> None:
    """A password may be."""
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        node = alice.need(Pubsub).node(NS, Conference)
        await node.create({"access_model": "open"})
        await alice.need(Bookmarks).set(ROOM, password="secret")
        assert (await node.configuration()).values("pubsub#access_model") == ("whitelist",)
        assert alice.need(Bookmarks).get(ROOM) == Conference(password="secret")
