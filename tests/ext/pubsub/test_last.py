"""Last items for those who become available or say anew what they want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chirrup.ext.delay.payloads import Delay
from chirrup.ext.pubsub.event_payloads import Event
from chirrup.testing import serve

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
