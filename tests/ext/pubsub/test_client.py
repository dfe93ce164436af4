from __future__ import annotations

import asyncio
from typing import assert_type

import pytest

from chirrup import JID, Client, Element, Message, StanzaError
from chirrup.client.feed import Feed
from chirrup.core.payload import Payload
from chirrup.core.values import parse_element
from chirrup.ext.activity.payloads import Activity
from chirrup.ext.json.payloads import JsonContainer
from chirrup.ext.location.payloads import Location
from chirrup.ext.mood.payloads import Mood
from chirrup.ext.nickname.payloads import Nickname
from chirrup.ext.presence.client import Presences, everybody
from chirrup.ext.pubsub.client import PRIVATE, Node, Pubsub
from chirrup.ext.pubsub.events import Deleted, Event, Published, Purged, Retracted
from chirrup.ext.tune.payloads import Tune
from chirrup.testing import serve

TUNE = Tune(artist="Yes", title="Heart of the Sunrise")


async def befriend(alice: Client, bob: Client) -> None:
    """Each sees the other's presence."""
    for one in (alice, bob):
        one.need(Presences).policy = everybody
    seen = alice.presences(lambda one: one.sender == bob.jid and one.available)
    seen_too = bob.presences(lambda one: one.sender == alice.jid and one.available)
    await alice.need(Presences).subscribe(bob.account)
    await anext(seen)
    await anext(seen_too)


async def test_what_accounts_tell_of_themselves() -> None:
    async with (
        serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob, asyncio.timeout(20)
    ):  # fmt: skip
        await befriend(alice, bob)
        events = bob.need(Pubsub).events(Tune)
        hers = bob.need(Pubsub).personal(Tune, at=alice.account).events()
        others = bob.need(Pubsub).personal(Mood, at=alice.account).events()
        own = alice.need(Pubsub).personal(Tune).events()
        tunes = alice.need(Pubsub).personal(Tune)
        await bob.settle()  # what it wants is told in presence, and asked back
        await alice.settle()
        assert await tunes.publish(TUNE, "current") == "current"
        event = await anext(events)
        assert event == Published("current", TUNE, "", alice.account, Tune.NS)
        assert await anext(hers) == await anext(own) == event
        assert await bob.need(Pubsub).personal(Tune, at=alice.account).last() == event
        assert await bob.need(Pubsub).personal(Mood, at=alice.account).last() is None
        await tunes.retract("current")
        assert await anext(events) == Retracted("current", alice.account, Tune.NS)
        await tunes.publish(TUNE)
        assert isinstance(await anext(events), Published)
        await tunes.purge()
        assert await anext(events) == Purged(alice.account, Tune.NS)
        await tunes.delete()
        assert await anext(events) == Deleted(alice.account, Tune.NS)
        assert not len(others)


@pytest.mark.parametrize(
    "told",
    [Nickname("Ally"), Mood.of("happy", "spring"), Activity.of("relaxing", "reading"), Location(lat=45.44, lon=12.33)],
)
async def test_what_else_they_tell(told: Payload) -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        node = alice.need(Pubsub).personal(type(told))
        events = node.events()
        await alice.settle()
        await node.publish(told)
        event = await anext(events)
        assert isinstance(event, Published)
        assert event.payload == told


async def test_items_and_their_pages() -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        node = alice.need(Pubsub).node("numbers", JsonContainer)
        for number in range(7):
            await node.publish(JsonContainer.of({"n": number}), str(number), options=PRIVATE)
        found = [one.payload.value["n"] async for one in node.all(limit=3) if one.payload is not None]
        assert sorted(found) == list(range(7))
        last = await node.last()
        assert last is not None
        assert last.id == "6"
        assert [one.id for one in await node.items("2", "4")] == ["2", "4"]
        assert len(await node.items(most=2)) == 2
        raw = alice.need(Pubsub).node("numbers")
        assert all(isinstance(one.payload, Element) for one in await raw.items())
        assert await alice.need(Pubsub).node("numbers", Tune).items() == []
        with pytest.raises(StanzaError, match="conflict"):
            await node.publish(JsonContainer.of(1), options={"access_model": "open"})


async def test_what_an_owner_does() -> None:
    async with (
        serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob, asyncio.timeout(20)
    ):  # fmt: skip
        node = alice.need(Pubsub).node("news", JsonContainer)
        await node.create({"access_model": "whitelist", "pubsub#title": "News"})
        with pytest.raises(StanzaError, match="conflict"):
            await node.create()
        theirs = bob.need(Pubsub).node("news", JsonContainer, at=alice.account)
        with pytest.raises(StanzaError, match="not-a"):
            await theirs.subscribe()
        await node.set_affiliations({"bob@localhost": "member"})
        assert await node.affiliations() == {alice.account: "owner", bob.account: "member"}
        assert (await theirs.subscribe()).subscription == "subscribed"
        assert [one.jid for one in await theirs.subscriptions()] == [bob.account]
        assert [one.jid for one in await node.subscribers()] == [bob.account]
        events = theirs.events()
        await node.publish(JsonContainer.of("hello"))
        event = await anext(events)
        assert isinstance(event, Published)
        assert event.payload is not None
        assert event.payload.value == "hello"
        await theirs.unsubscribe()
        await node.configure({"title": "Old news"})
        assert (await node.configuration()).values("pubsub#title") == ("Old news",)
        assert (await alice.need(Pubsub).affiliations())["news"] == "owner"
        await node.delete()
        assert await node.last() is None


async def test_what_others_make_up_is_not_of_a_node() -> None:
    def event(inside: str) -> Element:
        return parse_element(f"<event xmlns='http://jabber.org/protocol/pubsub#event'>{inside}</event>")

    async with (
        serve() as server, await server.sdk("alice") as alice, await server.sdk("mallory") as mallory,
        asyncio.timeout(20),
    ):  # fmt: skip
        own = alice.need(Pubsub).personal(Tune).events()
        every = alice.need(Pubsub).events(Tune)
        for inside in (
            f"<items node='{Tune.NS}'><item id='1'><tune xmlns='{Tune.NS}'><length>long</length></tune></item></items>",
            f"<items node='{Tune.NS}'><item id='2'><other xmlns='x'/></item></items>",
            f"<items node='else'><item id='3'><tune xmlns='{Tune.NS}'/></item></items>",
            f"<items node='{Tune.NS}'><item id='4'><tune xmlns='{Tune.NS}'/></item></items>",
        ):
            await mallory.send(Message(alice.jid, None, event(inside), type="headline"))
        came = await anext(every)
        assert isinstance(came, Published)
        assert (came.id, came.sender) == ("4", mallory.jid)
        assert not len(own)
        assert not len(every)


async def test_types() -> None:
    """What type checkers know of it."""
    async with serve() as server, await server.sdk("alice") as alice:
        pubsub = alice.need(Pubsub)
        assert_type(pubsub.node("x"), Node[Element])
        assert_type(pubsub.node("x", Tune), Node[Tune])
        assert_type(pubsub.personal(Tune), Node[Tune])
        assert_type(pubsub.events(Tune), Feed[Event[Tune]])
        assert_type(pubsub.events(name="x"), Feed[Event[Element]])
        assert_type(await pubsub.personal(Tune).last(), Published[Tune] | None)
        assert_type(alice.account, JID)
