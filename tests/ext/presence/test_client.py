"""Presence and subscriptions at a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import JID, Client, Presence
from chirrup.core.payload import Payload, payload
from chirrup.ext.presence.client import Presences, everybody, nobody
from chirrup.ext.roster.client import Roster
from chirrup.testing import serve


@payload("mood", "urn:test:mood")
class Mood(Payload):
    """How one feels."""


async def arrival(client: Client, sender: JID, type_: str = "available") -> Presence:
    """The next presence from there, which may have come."""
    feed = client.presences(lambda presence: presence.sender == sender and presence.type == type_)
    async with asyncio.timeout(10):
        return await anext(feed)


async def befriend(alice: Client, bob: Client) -> None:
    """Have them see each other's presence."""
    bob.need(Presences).policy = everybody
    seen = asyncio.create_task(arrival(alice, bob.jid))
    back = asyncio.create_task(arrival(bob, alice.jid))
    alice.need(Presences).policy = everybody
    await asyncio.sleep(0)
    await alice.need(Presences).subscribe(bob.jid)
    await asyncio.gather(seen, back)


async def test_contacts_see_each_other() -> None:
    async with serve() as server, await server.sdk("alice", features=[Roster]) as alice, await server.sdk("bob") as bob:
        await befriend(alice, bob)
        presences = alice.need(Presences)
        assert presences.is_available("bob@localhost")
        assert presences.is_available(bob.jid)
        assert not presences.is_available("bob@localhost/elsewhere")
        coming = asyncio.create_task(arrival(alice, bob.jid))
        await asyncio.sleep(0)
        await bob.need(Presences).set("away", "lunch", Mood(), priority=-5)
        presence = await coming
        assert (presence.show, presence.status, presence.priority, presence.has(Mood)) == ("away", "lunch", -5, True)
        assert presences.of("bob@localhost") == [presence]
        item = alice.need(Roster).get("bob@localhost")
        assert item is not None and item.subscription == "both"
        going = asyncio.create_task(arrival(alice, bob.jid, "unavailable"))
        await asyncio.sleep(0)
        await bob.need(Presences).set_unavailable("gone")
        assert (await going).status == "gone"
        assert not presences.is_available("bob@localhost")
        assert bob.need(Presences).own is None


async def test_requests_wait_for_the_program() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        requests = bob.need(Presences).requests()
        await alice.need(Presences).subscribe("bob@localhost", "it's me")
        async with asyncio.timeout(10):
            request = await anext(requests)
        assert (request.sender, request.status) == (alice.account, "it's me")
        seen = asyncio.create_task(arrival(alice, bob.jid))
        await asyncio.sleep(0)
        await bob.need(Presences).approve(request.sender)
        await seen
        gone = asyncio.create_task(arrival(alice, bob.jid, "unavailable"))
        await asyncio.sleep(0)
        await bob.need(Presences).deny(request.sender)
        await gone


async def test_nobody_is_let_in() -> None:
    async with serve() as server, await server.sdk("alice", features=[Roster]) as alice, await server.sdk("bob") as bob:
        bob.need(Presences).policy = nobody
        refused = asyncio.create_task(arrival(alice, bob.account, "unsubscribed"))
        await asyncio.sleep(0)
        await alice.need(Presences).subscribe("bob@localhost")
        await refused


async def test_an_unsubscribed_contact_goes() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        await befriend(alice, bob)
        gone = asyncio.create_task(arrival(alice, bob.jid, "unavailable"))
        await asyncio.sleep(0)
        await alice.need(Presences).unsubscribe("bob@localhost")
        await gone
        assert not alice.need(Presences).is_available("bob@localhost")


async def test_without_presence() -> None:
    async with serve() as server, await server.sdk("alice", available=False) as alice:
        assert alice.need(Presences).own is None
        other = await server.sdk("alice")
        async with other:
            assert not other.need(Presences).of(alice.jid)


@pytest.mark.parametrize(
    ("stanza", "show", "priority"),
    [
        ("<presence/>", "", 0),
        ("<presence><show>dnd</show><priority>127</priority></presence>", "dnd", 127),
        ("<presence><show>asleep</show><priority>128</priority></presence>", "", 127),
        ("<presence><priority>-999</priority></presence>", "", -128),
        ("<presence><priority>many</priority></presence>", "", 0),
        ("<presence><priority>٣</priority></presence>", "", 0),
        ("<presence><priority>99999999999999</priority></presence>", "", 0),
    ],
)
async def test_what_presence_says(liar: Liar, stanza: str, show: str, priority: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send(stanza.replace("<presence", "<presence from='bob@localhost/b'", 1))
        await peer.end()

    client = liar.client(script, features=[Presences])
    came = client.presences()
    async with client:
        presence = await anext(came)
    assert (presence.show, presence.priority) == (show, priority)


async def test_presence_of_everybody_is_not_kept_without_end(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.ext.presence.client.MOST", 10)

    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send("".join(f"<presence from='bob{number}@localhost/b'/>" for number in range(20)))
        peer.send("<presence from='room@localhost/x'><x xmlns='http://jabber.org/protocol/muc#user'/></presence>")
        await peer.end()

    client = liar.client(script, features=[Presences])
    came = client.presences(lambda presence: presence.sender.local == "room")
    async with client:
        await anext(came)
        presences = client.need(Presences)
        here: list[Any] = [presences.is_available(f"bob{number}@localhost") for number in range(20)]
        assert here == [False] * 10 + [True] * 10
        assert not presences.is_available("room@localhost/x")


def test_priorities_have_limits() -> None:
    with pytest.raises(ValueError, match="no priority"):
        Presence(priority=128)
