"""A block list on two devices, and a phone in a pocket, with slixmpp."""

from __future__ import annotations

import asyncio
from typing import Any

from slixmpp import JID

TIMEOUT = 20.0


def queue(person: Any, event: str) -> asyncio.Queue[Any]:
    """What comes of an event from now on."""
    came: asyncio.Queue[Any] = asyncio.Queue()
    person.add_event_handler(event, came.put_nowait)
    return came


def jids(payload: Any) -> list[str]:
    return [str(item["jid"]) for item in payload["items"]]


async def test_a_block_list(online: Any) -> None:
    alice, laptop, bob = await online("alice"), await online("alice"), await online("bob")
    for device in (alice, laptop):
        device.register_plugin("xep_0191")
    pushed: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    laptop.add_event_handler("blocked", lambda iq: pushed.put_nowait(("blocked", jids(iq["block"]))))
    laptop.add_event_handler("unblocked", lambda iq: pushed.put_nowait(("unblocked", jids(iq["unblock"]))))
    assert jids((await laptop.plugin["xep_0191"].get_blocked())["blocklist"]) == []

    async with asyncio.timeout(TIMEOUT):
        await alice.plugin["xep_0191"].block(JID("bob@localhost"))
        assert await pushed.get() == ("blocked", ["bob@localhost"])
        answer = await alice.plugin["xep_0191"].get_blocked()
        assert jids(answer["blocklist"]) == ["bob@localhost"]

        errors = queue(bob, "message_error")
        bob.send_message("alice@localhost", "can you hear me?", mtype="chat")
        assert (await errors.get())["error"]["condition"] == "service-unavailable"

        await alice.plugin["xep_0191"].unblock(JID("bob@localhost"))
        assert await pushed.get() == ("unblocked", ["bob@localhost"])
        bob.send_message("alice@localhost", "and now?", mtype="chat")
        assert (await alice.next("message"))["body"] == "and now?"


async def test_a_phone_in_a_pocket(online: Any) -> None:
    carol, dave = await online("carol"), await online("dave")
    carol.register_plugin("xep_0352")
    carol.plugin["xep_0352"].send_inactive()
    await carol.plugin["xep_0199"].ping("localhost")
    presences = queue(carol, "presence_dnd")
    dave.send_presence(pto="carol@localhost", pshow="away")
    dave.send_presence(pto="carol@localhost", pshow="dnd")
    await dave.plugin["xep_0199"].ping("localhost")
    dave.send_message("carol@localhost", "look at this", mtype="chat")
    assert (await carol.next("message"))["body"] == "look at this"
    assert (await asyncio.wait_for(presences.get(), TIMEOUT))["from"].bare == "dave@localhost"
