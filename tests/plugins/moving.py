"""Accounts with something of every kind, made at a server of any kind, and looked for at another."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from bench import client as generator
from chirrup import Client, Message, StanzaError
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.presence.client import Presences, everybody
from chirrup.ext.roster.client import Roster

PASSWORD: Final = generator.PASSWORD
TIMEOUT: Final = 60
CARD: Final = "<vCard xmlns='vcard-temp'><FN>Alice &lt;Liddell&gt;</FN><NICKNAME>Älice</NICKNAME></vCard>"
PREFERENCES: Final = "<prefs xmlns='exodus:prefs'><nick a='&quot;'>Queen\nof hearts</nick></prefs>"
BOOKMARK: Final = "<conference xmlns='urn:xmpp:bookmarks:1' name='Tea' autojoin='true'><nick>Alice</nick></conference>"
NICK: Final = "<nick xmlns='http://jabber.org/protocol/nick'>Alice in PEP</nick>"
HATTER: Final = "hatter@elsewhere.example"
TALK: Final = ["Why is a raven like a writing-desk?", "I give it up.", "What's the answer? <&>"]
LATER: Final = ["Your hair wants cutting.", "So does yours."]


def client(name: str, place: dict[str, Any], **options: Any) -> Client:
    return Client(f"{name}@localhost/tea", PASSWORD, features=[Roster], **place, **options)


async def furnish(place: dict[str, Any]) -> None:
    """Give alice and bob, who exist, contacts, messages and all else; alice leaves first, and has messages waiting."""
    async with asyncio.timeout(TIMEOUT):
        async with client("bob", place) as bob:
            async with client("alice", place) as alice:
                await _befriend(alice, bob)
                await _talk(alice, bob)
                await _publish(alice)
                await set_(alice, CARD)
                await set_(alice, f"<query xmlns='jabber:iq:private'>{PREFERENCES}</query>")
                await alice.need(Roster).set(HATTER, name="Mad “Hatter”", groups=["Tea", "March & hare"])
                await set_(alice, "<block xmlns='urn:xmpp:blocking'><item jid='queen@hearts.example'/></block>")
            for words in LATER:
                await bob.send(Message("alice@localhost", words))
            await bob.settle()
        async with client("carol", place) as carol:
            await carol.need(Presences).subscribe("alice@localhost")
            await carol.settle()


async def _befriend(alice: Client, bob: Client) -> None:
    for one in (alice, bob):
        one.need(Presences).policy = everybody
    changes = alice.need(Roster).changes()
    await alice.need(Roster).set("bob@localhost", name="Bob", groups=["Friends"])
    await alice.need(Presences).subscribe("bob@localhost")
    while (await anext(changes)).after.subscription != "both":
        pass


async def _talk(alice: Client, bob: Client) -> None:
    heard, answered = bob.messages(), alice.messages()
    for words in TALK[::2]:
        await alice.send(Message("bob@localhost", words))
        await anext(heard)
    await bob.send(Message(alice.jid, TALK[1]))
    await anext(answered)


async def _publish(alice: Client) -> None:
    await set_(
        alice,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:bookmarks:1'>"
        f"<item id='tea@rooms.example'>{BOOKMARK}</item></publish><publish-options><x xmlns='jabber:x:data' "
        "type='submit'><field var='FORM_TYPE' type='hidden'>"
        "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
        "<field var='pubsub#persist_items'><value>true</value></field>"
        "<field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></pubsub>",
    )
    await set_(
        alice,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='http://jabber.org/protocol/nick'>"
        f"<item id='current'>{NICK}</item></publish></pubsub>",
    )


async def set_(one: Client, payload: str) -> None:
    await one.request(parse_element(payload), type="set")


async def get(one: Client, payload: str, to: str | None = None) -> Element:
    answer = await one.request(parse_element(payload), to=to, type="get")
    found = answer.payload
    assert found is not None
    return found


async def look_for_everything(place: dict[str, Any], *, events: bool = True, archive: bool = True) -> None:
    """Log in as alice with her password, and find all that she had; what she published, and her archive, where they
    were to be had."""
    async with asyncio.timeout(TIMEOUT):
        alice = client("alice", place)
        messages = alice.messages()
        asked = alice.presences(lambda presence: presence.type == "subscribe")
        async with alice:
            await look_at_contacts(alice)
            assert [(await anext(messages)).body for _ in LATER] == LATER
            assert (await anext(asked)).sender.text == "carol@localhost"
            await look_at_card_and_private_xml(alice)
            blocked = await get(alice, "<blocklist xmlns='urn:xmpp:blocking'/>")
            assert [item.get("jid") for item in blocked.elements()] == ["queen@hearts.example"]
            if events:
                await _look_at_events(alice)
            if archive:
                assert [words for words in await archived(alice) if words] == [TALK[0], TALK[2], TALK[1], *LATER]
        async with client("bob", place) as bob:
            assert [item.jid.text for item in await bob.need(Roster).load()] == ["alice@localhost"]
            if events:
                await _look_at_events_of_others(bob)


async def _look_at_events_of_others(bob: Client) -> None:
    """What is for contacts can be read by one, and what isn't can't."""
    found = await get(bob, _items("http://jabber.org/protocol/nick"), to="alice@localhost")
    assert found.first.first.first == parse_element(NICK)
    try:
        await get(bob, _items("urn:xmpp:bookmarks:1"), to="alice@localhost")
    except StanzaError as error:
        assert error.condition == "not-allowed"
    else:
        raise AssertionError("somebody else's bookmarks can be read")


def _items(node: str) -> str:
    return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>"


async def look_at_contacts(alice: Client) -> None:
    items = {item.jid.text: item for item in await alice.need(Roster).load()}
    assert set(items) == {"bob@localhost", HATTER}
    assert (items["bob@localhost"].name, items["bob@localhost"].subscription) == ("Bob", "both")
    assert items[HATTER].name == "Mad “Hatter”" and set(items[HATTER].groups) == {"Tea", "March & hare"}


async def look_at_card_and_private_xml(alice: Client) -> None:
    assert await get(alice, "<vCard xmlns='vcard-temp'/>") == parse_element(CARD)
    private = await get(alice, "<query xmlns='jabber:iq:private'><prefs xmlns='exodus:prefs'/></query>")
    assert private.first == parse_element(PREFERENCES)


async def _look_at_events(alice: Client) -> None:
    found = await get(alice, _items("urn:xmpp:bookmarks:1"))
    (item,) = found.first.elements()
    assert (item.get("id"), item.first) == ("tea@rooms.example", parse_element(BOOKMARK))


async def archived(one: Client) -> list[str]:
    """The texts in somebody's archive."""
    results: list[Element] = []

    def take(message: Message) -> bool:
        element = message.element
        if (result := element.child("result", "urn:xmpp:mam:2")) is not None:
            results.append(result)
        return False

    feed = one.messages(take)
    await one.request(parse_element("<query xmlns='urn:xmpp:mam:2' queryid='q'/>"), type="set")
    feed.close()
    return [result.first.child("message", "jabber:client").child_text("body") for result in results]
