"""What type checkers know of the SDK: checked by mypy in test_types, never run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import assert_type

from chirrup import IQ, JID, Client, ConnectionState, Element, Message, Presence, StanzaError, send
from chirrup.client.feature import Feature, Request, iq_get, on_message, on_presence
from chirrup.client.feed import Feed
from chirrup.client.states import StateChange
from chirrup.ext.archive.client import Archive, Archived
from chirrup.ext.avatar.client import Avatar, Avatars
from chirrup.ext.chat.client import Chat, Chats
from chirrup.ext.chat.lines import Change as LineChange
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Info, Item
from chirrup.ext.ping.client import Pings
from chirrup.ext.ping.payloads import Ping
from chirrup.ext.presence.client import Presences
from chirrup.ext.private_storage.client import PrivateStorage
from chirrup.ext.pubsub.client import Node, Pubsub
from chirrup.ext.pubsub.events import Event
from chirrup.ext.receipts.client import Receipts
from chirrup.ext.roster.client import Change, Roster
from chirrup.ext.roster.payloads import Item as Contact
from chirrup.ext.roster.payloads import Query
from chirrup.ext.tune.payloads import Tune
from chirrup.ext.version.client import SoftwareVersion
from chirrup.ext.version.payloads import Version


async def client(client: Client) -> None:
    async with client as entered:
        assert_type(entered, Client)
    assert_type(client.jid, JID)
    assert_type(client.state, ConnectionState)
    assert_type(client.states(), Feed[StateChange])
    assert_type(client.messages(), Feed[Message])
    async for message in client.messages():
        assert_type(message, Message)
    async for presence in client.presences():
        assert_type(presence, Presence)
    await send("me@example.org", "secret", to="you@example.org", body="Hello")


async def requests(client: Client, element: Element) -> None:
    assert_type(await client.request(Version(), to="example.org"), Version)
    assert_type(await client.request(Ping(), result=None), IQ)
    assert_type(await client.request(Query(), type="set"), IQ)
    assert_type(await client.request(Query(), type="set", result=Version), Version)
    assert_type(await client.request(element, result=Info), Info)
    assert_type(await client.request(element), IQ)


async def stanzas(message: Message, presence: Presence) -> None:
    assert_type(message.sender, JID)
    assert_type(message.to, JID | None)
    assert_type(message.body, str)
    assert_type(message.subject, str | None)
    assert_type(message.get(Delay), Delay | None)
    assert_type(message.error, StanzaError | None)
    assert_type(message.element, Element)
    assert_type(await message.reply("Hello", Delay), Message)  # type: ignore[arg-type]
    assert_type(message.add(None), Message)
    assert_type(presence.priority, int)
    assert_type(presence.available, bool)


async def features(client: Client) -> None:
    assert_type(client.need(Disco), Disco)
    assert_type(client.find(Disco), Disco | None)
    assert_type(client.features, Iterable[Feature])
    assert_type(await client.need(Disco).info("example.org"), Info)
    assert_type(await client.need(Disco).items("example.org"), tuple[Item, ...])
    assert_type(await client.need(Pings).ping(), float)
    assert_type(await client.need(SoftwareVersion).of("example.org"), Version)
    roster = await client.need(Roster).load()
    assert_type(roster.get("a@b"), Contact | None)
    assert_type(roster.changes(), Feed[Change])
    assert_type(client.need(Presences).of("a@b"), list[Presence])
    chat = client.need(Chats).open("a@b")
    assert_type(chat, Chat)
    assert_type(await chat.send("Hello"), Message)
    assert_type(chat.changes(), Feed[LineChange])
    assert_type(await client.need(Receipts).request(Message("a@b")), asyncio.Future[JID])
    async for archived in client.need(Archive).messages(with_="a@b", limit=10):
        assert_type(archived, Archived)
    client.need(Archive).messages(without="a@b")  # type: ignore[call-arg]
    assert_type(client.need(Pubsub).personal(Tune), Node[Tune])
    assert_type(client.need(Pubsub).events(Tune), Feed[Event[Tune]])
    assert_type(await client.need(PrivateStorage).get(Tune), Tune | None)
    assert_type(await client.need(Avatars).fetch("a@b"), Avatar | None)


def handlers(client: Client) -> None:
    @client.on_message
    async def hear(message: Message) -> None: ...

    @client.on_presence
    def see(presence: Presence) -> None: ...

    @client.on_payload(Delay)
    async def late(message: Message, delay: Delay) -> None: ...

    @client.on_request(Version)
    def tell(request: Request[Version]) -> Version:
        assert_type(request.payload, Version)
        return request.payload

    @client.on_message  # type: ignore[type-var]
    def wrong(message: Presence) -> None: ...

    @client.on_payload(Delay)  # type: ignore[arg-type]
    def wrong_too(message: Message, delay: Version) -> None: ...


class Typed(Feature):
    @iq_get(Version)
    async def tell(self, request: Request[Version]) -> Version:
        return request.payload

    @iq_get(("query", "urn:test"))
    def bare(self, request: Request[Element]) -> None: ...

    @on_message(Delay)
    def late(self, message: Message, delay: Delay) -> None: ...

    @on_message()
    async def every(self, message: Message) -> None: ...

    @on_presence()
    def presence(self, presence: Presence) -> None: ...

    @iq_get(Version)  # type: ignore[arg-type]
    def wrong(self, request: Request[Ping]) -> None: ...
