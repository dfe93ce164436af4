"""Personal eventing with slixmpp: avatars, tunes and bookmarks, asked for by the capabilities that it shows itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0402.stanza import Conference
from slixmpp.plugins.xep_0402.stanza import register_plugin as register_bookmarks

PICTURE = b"\x89PNG\r\n\x1a\n picture " * 100
NAME = hashlib.sha1(PICTURE).hexdigest()
BOOKMARKS = "urn:xmpp:bookmarks:1"
PLUGINS = ("xep_0060", "xep_0084", "xep_0115", "xep_0118", "xep_0153", "xep_0163")


@pytest.fixture
def eventful(connect: Callable[..., Any]) -> Callable[[str], Awaitable[Any]]:
    """Makes people who are online with a program that publishes and listens. `events` has what comes."""

    async def make(name: str) -> Any:
        person = connect(name)
        for plugin in PLUGINS:
            person.register_plugin(plugin)
        person.events = asyncio.Queue()
        for event in "avatar_metadata_publish", "user_tune_publish":
            person.add_event_handler(event, person.events.put_nowait)
        await person.come_online()
        await person.plugin["xep_0115"].update_caps()  # what the plugins have added is shown
        return person

    return make


async def become_contacts(one: Any, other: Any) -> None:
    for asker, asked in (one, other), (other, one):
        asker.send_presence_subscription(pto=asked.boundjid.bare)
        await asked.next("presence_subscribe")
        asked.send_presence_subscription(pto=asker.boundjid.bare, ptype="subscribed")
        await asker.next("presence_subscribed")


async def next_event(person: Any, sender: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            event = await person.events.get()
            if event["from"].bare == sender:
                return event


def open_to_all(person: Any) -> Any:
    form = person.plugin["xep_0004"].make_form(ftype="submit")
    form.add_field("FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    form.add_field("pubsub#access_model", value="open")
    return form


async def test_an_avatar(eventful: Any) -> None:
    alice, bob = await eventful("alice"), await eventful("bob")
    await become_contacts(alice, bob)
    await alice.plugin["xep_0084"].publish_avatar(PICTURE, options=open_to_all(alice))
    info = {"id": NAME, "type": "image/png", "bytes": str(len(PICTURE))}
    await alice.plugin["xep_0084"].publish_avatar_metadata([info], options=open_to_all(alice))
    event = await next_event(bob, "alice@localhost")
    told = event["pubsub_event"]["items"]["item"]["avatar_metadata"]
    assert [one["id"] for one in told["items"]] == [NAME]
    got = await bob.plugin["xep_0084"].retrieve_avatar("alice@localhost", NAME)
    assert got["pubsub"]["items"]["item"]["avatar_data"]["value"] == PICTURE
    card = await bob.plugin["xep_0054"].get_vcard("alice@localhost")
    assert card["vcard_temp"]["PHOTO"]["BINVAL"] == PICTURE  # the same, for those who know vCards only


async def test_a_picture_in_a_vcard(eventful: Any) -> None:
    carol, dave = await eventful("carol"), await eventful("dave")
    await become_contacts(carol, dave)
    card = carol.plugin["xep_0054"].make_vcard()
    card["FN"] = "Carol"
    await carol.plugin["xep_0054"].publish_vcard(card)  # slixmpp puts pictures only into one that is there
    await carol.plugin["xep_0153"].set_avatar(avatar=PICTURE, mtype="image/png")
    event = await next_event(dave, "carol@localhost")
    told = event["pubsub_event"]["items"]["item"]["avatar_metadata"]
    assert [one["id"] for one in told["items"]] == [NAME]
    got = await dave.plugin["xep_0084"].retrieve_avatar("carol@localhost", NAME)
    assert got["pubsub"]["items"]["item"]["avatar_data"]["value"] == PICTURE


async def test_a_tune_that_was_published_before_the_contact_came(eventful: Any) -> None:
    erin, frank = await eventful("erin"), await eventful("frank")
    await become_contacts(erin, frank)
    await frank.disconnect()
    await erin.plugin["xep_0118"].publish_tune(artist="Gerald Finzi", title="Introduction")
    frank = await eventful("frank")
    event = await next_event(frank, "erin@localhost")
    assert event["pubsub_event"]["items"]["item"]["tune"]["artist"] == "Gerald Finzi"


async def test_a_bookmark(eventful: Any) -> None:
    register_bookmarks()
    grace, heidi = await eventful("grace"), await eventful("heidi")
    bookmark = Conference()
    bookmark["name"], bookmark["autojoin"], bookmark["nick"] = "The Play", True, "gh"
    pubsub = grace.plugin["xep_0060"]
    await pubsub.publish(grace.boundjid.bare, BOOKMARKS, id="play@rooms.localhost", payload=bookmark)
    got = await pubsub.get_items(grace.boundjid.bare, BOOKMARKS)
    (item,) = got["pubsub"]["items"]
    assert (item["id"], item["conference"]["name"], item["conference"]["autojoin"]) == (
        "play@rooms.localhost", "The Play", True,
    )  # fmt: skip
    with pytest.raises(IqError) as refused:
        await heidi.plugin["xep_0060"].get_items("grace@localhost", BOOKMARKS)
    assert refused.value.condition == "not-authorized"
