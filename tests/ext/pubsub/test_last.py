"""Last items for those who become available or say anew what they want."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chirrup.ext.delay.payloads import Delay
from chirrup.ext.pubsub.event_payloads import Event
from chirrup.testing import FakeClock, serve

JULIET = "juliet@localhost"


async def test_the_last_item_comes_with_presence_also_when_its_publisher_is_away(
    people: Any, friends: Any, tmp_path: Path
) -> None:
    async with serve(data=tmp_path) as server:
        juliet, _ = await friends(server)
        for item in "ab":
            await people.publish(juliet, "tune", item, max_items="max")
    async with serve(data=tmp_path) as server:
        romeo = await server.client("romeo")
        await people.become_available(romeo, "tune")
        while (message := await romeo.receive()).name != "message":
            pass
        event = Event.find(message)
        assert event is not None
        assert event.items is not None
        assert [one.id for one in event.items.items] == ["b"]
        assert message.get("from") == JULIET
        assert message.get("to") == romeo.jid.text
        assert Delay.find(message) is not None


async def test_ones_own_last_items(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet/balcony")
        await people.publish(juliet, "tune", "a")
        chamber = await server.client("juliet/chamber")
        await people.become_available(chamber, "tune")
        assert await people.item_arrives(chamber) == "tune a"
        await people.become_available(chamber, "tune")  # it has it already
        assert await people.told(chamber) == []


async def test_who_comes_and_goes_all_the_time_is_sent_last_items_once_in_a_while(people: Any) -> None:
    """All of one's contacts' nodes for each of these few octets would hold everybody up."""
    async with serve() as server:
        juliet = await server.client("juliet/balcony")
        await people.publish(juliet, "tune", "a")
        chamber = await server.client("juliet/chamber")
        await people.become_available(chamber, "tune")
        assert await people.item_arrives(chamber) == "tune a"
        chamber.send(f"<presence type='unavailable'/>{people.presence('tune')}" * 50)
        assert await people.item_arrives(chamber) == "tune a"
        assert len(await people.told(chamber)) < 10
        chamber.send(f"<presence type='unavailable'/>{people.presence('tune')}")
        assert await people.item_arrives(chamber) == "tune a"


async def test_only_what_is_new_comes_when_capabilities_change(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        for node in "mood", "tune":
            await people.publish(juliet, node, node)
        await people.become_available(juliet, "mood")
        assert await people.item_arrives(juliet) == "mood mood"
        await people.become_available(juliet, "mood", "tune")
        assert await people.item_arrives(juliet) == "tune tune"


@pytest.mark.parametrize("when", ["never", "on_sub"])
async def test_nodes_that_send_none_with_presence(people: Any, when: str) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await people.publish(juliet, "tune", "a", send_last_published_item=when)
        await people.publish(juliet, "zodiac", "z")
        await people.become_available(juliet, "tune", "zodiac")
        assert await people.item_arrives(juliet) == "zodiac z"


async def test_a_contact_that_is_new_gets_last_items(people: Any) -> None:
    async with serve() as server:
        juliet, romeo = await server.client("juliet"), await server.client("romeo")
        await people.publish(juliet, "tune", "a")
        await people.become_available(juliet)
        await people.become_available(romeo, "tune")
        assert await people.told(romeo) == []
        for subscriber, contact in (juliet, romeo), (romeo, juliet):
            contact.send(f"<presence type='subscribed' to='{subscriber.jid.bare}'/>")
            await contact.settle()
            subscriber.send(f"<presence type='subscribe' to='{contact.jid.bare}'/>")
            await subscriber.settle()
        assert await people.item_arrives(romeo) == "tune a"


async def test_somebody_who_sends_presence_without_being_a_contact(people: Any) -> None:
    """XEP-0060 §9.1.3: for open nodes, until the presence is gone."""
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        await people.become_available(juliet)
        await people.become_available(tybalt, "open", "private")
        await people.publish(juliet, "open", "a", access_model="open")
        await people.publish(juliet, "private", "a")
        assert await people.told(tybalt) == []
        tybalt.send(f"<presence to='{JULIET}'/>")
        assert await people.item_arrives(tybalt) == "open a"
        await people.publish(juliet, "open", "b")
        await people.publish(juliet, "private", "b")
        assert await people.told_items(tybalt) == ["b"]
        tybalt.send(f"<presence to='{JULIET}' type='unavailable'/>")
        await people.publish(juliet, "open", "c")
        assert await people.told(tybalt) == []


PUBLISH = "<publish node='tune'><item id='b'><x xmlns='urn:test'/></item></publish>"
RETRACT = "<retract node='tune' notify='true'><item id='a'/></retract>"


@pytest.mark.parametrize(("meanwhile", "expected"), [(PUBLISH, ["b"]), (RETRACT, ["-a"])])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_who_is_told_while_last_items_are_looked_up(
    people: Any, monkeypatch: pytest.MonkeyPatch, when: str, meanwhile: str, expected: list[str]
) -> None:
    """Nothing comes twice, and nothing that is old comes behind what is new."""
    async with serve() as server:
        juliet, chamber = await server.client("juliet/balcony"), await server.client("juliet/chamber")
        await people.become_available(chamber, "tune")
        await people.publish(juliet, "tune", "a")
        assert await people.told_items(chamber) == ["a"]
        read, goes_on, underway = server.server.store.read, asyncio.Event(), asyncio.Event()

        async def slowly(op: Any) -> Any:
            found = await read(op) if when == "after" else None
            underway.set()
            await goes_on.wait()
            return found if when == "after" else await read(op)

        monkeypatch.setattr(server.server.store, "read", slowly)
        chamber.send(f"<presence type='unavailable'/>{people.presence('tune')}")
        await underway.wait()
        monkeypatch.undo()
        assert await people.do(juliet, meanwhile) == ""
        goes_on.set()
        while server.server._tasks:
            await chamber.settle()
        assert await people.told_items(chamber) == expected


async def test_who_has_got_an_item_as_the_last_one_before_anybody_is_told(
    people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as server:
        juliet, chamber = await server.client("juliet/balcony"), await server.client("juliet/chamber")
        await people.become_available(juliet, "tune")
        await people.become_available(chamber, "tune")
        await people.publish(juliet, "tune", "a")
        assert await people.told_items(juliet) == await people.told_items(chamber) == ["a"]
        submit, goes_on, stored = server.server.store.submit, asyncio.Event(), asyncio.Event()

        async def later(future: asyncio.Future[Any]) -> Any:
            result = await future
            stored.set()
            await goes_on.wait()
            return result

        monkeypatch.setattr(
            server.server.store, "submit", lambda op, size=0: asyncio.ensure_future(later(submit(op, size=size)))
        )
        publishing = asyncio.create_task(people.do(juliet, PUBLISH))
        await stored.wait()
        chamber.send(f"<presence type='unavailable'/>{people.presence('tune')}")
        assert await people.item_arrives(chamber) == "tune b"
        goes_on.set()
        assert await publishing == ""
        assert await people.told_items(chamber) == []
        assert await people.told_items(juliet) == ["b"]


async def test_an_expired_item_is_not_sent_to_new_subscribers(people: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt", presence=True)
        await people.publish(juliet, "tune", "a", access_model="open", item_expire="60")
        clock.advance(61)
        assert await people.do(tybalt, "<subscribe node='tune' jid='tybalt@localhost'/>", to=JULIET) == ""
        assert await people.told(tybalt) == []
