"""What profanity keeps with the account: OMEMO's devices and keys, and bookmarks in private storage."""

from __future__ import annotations

from typing import Any

import pytest
from slixmpp.plugins.xep_0402.stanza import register_plugin as register_bookmarks

pytestmark = pytest.mark.needs("profanity", "tmux")

BOOKMARKS = "urn:xmpp:bookmarks:1"


async def become_contacts(one: Any, name: str, other: Any, other_name: str) -> None:
    await one.type(f"/sub request {other_name}@localhost")
    await other.shows(f"Received authorization request from {name}@localhost")
    await other.type(f"/sub allow {name}@localhost")
    await other.type(f"/sub request {name}@localhost")
    await one.shows(f"authorization request from {other_name}@localhost")
    await one.type(f"/sub allow {other_name}@localhost")
    await one.shows(f"Accepted subscription for {other_name}@localhost")


async def test_they_write_encrypted(profanity: Any) -> None:
    carol, dave = await profanity("carol"), await profanity("dave")
    await become_contacts(carol, "carol", dave, "dave")
    for person in carol, dave:
        await person.type("/omemo gen")
        await person.shows("OMEMO crytographic materials generated")
        await person.type("/omemo trustmode blind")
    await carol.type("/msg dave@localhost")
    await carol.type("/omemo start")
    await carol.shows("[OMEMO]")
    await carol.type("for your eyes only")
    await dave.shows("chat message: carol@localhost")
    await dave.type("/win 2")
    await dave.shows("for your eyes only")
    await dave.type("and these for yours")
    await carol.shows("and these for yours")


async def test_bookmarks_are_those_of_newer_programs(profanity: Any, connect: Any) -> None:
    register_bookmarks()
    erin = await profanity("erin")
    await erin.type("/bookmark add play@rooms.localhost nick er autojoin off name Play")
    await erin.shows("Bookmark added for play@rooms.localhost")
    phone = connect("erin")
    phone.register_plugin("xep_0060")
    await phone.come_online()
    got = await phone.plugin["xep_0060"].get_items("erin@localhost", BOOKMARKS)
    (item,) = got["pubsub"]["items"]
    assert (item["id"], item["conference"]["name"], item["conference"]["nick"]) == (
        "play@rooms.localhost",
        "Play",
        "er",
    )
    await phone.plugin["xep_0060"].retract("erin@localhost", BOOKMARKS, "play@rooms.localhost")
    await erin.type("/quit")
    erin = await profanity("erin")
    await erin.type("/bookmark list")
    await erin.shows("No bookmarks found")
