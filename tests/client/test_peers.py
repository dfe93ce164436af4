"""The same against Chirrup and the servers that people would pick instead, each as the operating system has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bench.peers import Peer, ejabberd, prosody
from tests.plugins.needs import unavailable

from bench import client as generator
from chirrup import Client, ConnectionState, Message, Presence, StanzaError
from chirrup.core.errors import AuthenticationError
from chirrup.ext.caps.client import Capabilities
from chirrup.ext.disco.client import Disco
from chirrup.ext.ping.client import Pings
from chirrup.ext.presence.client import Presences, everybody
from chirrup.ext.roster.client import Roster
from chirrup.ext.time.client import EntityTime
from chirrup.ext.version.client import SoftwareVersion
from chirrup.net import certificates
from chirrup.testing import FakeClock, serve

TIMEOUT = 30
SOFTWARE = {"chirrup": "Chirrup", "prosody": "Prosody", "ejabberd": "ejabberd"}


@pytest.fixture(params=["chirrup", "prosody", "ejabberd"])
async def peer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A server with alice and bob: its name, and where it is."""
    if request.param == "chirrup":
        async with serve(data=tmp_path) as server:
            for name in ("alice", "bob"):
                await server.add_account(name, generator.PASSWORD)
            yield request.param, _place(server.port(), tmp_path / "certificates" / "localhost.crt")
        return
    other: Peer = {"prosody": prosody.PROSODY, "ejabberd": ejabberd.EJABBERD}[request.param]
    if other.version() is None:
        unavailable(request.param)
    pair = certificates.make("localhost", tmp_path, time.time())
    running = await asyncio.to_thread(other.start, tmp_path, pair.certificate, pair.key)
    try:
        for name in ("alice", "bob"):
            (await generator.connect(running.port, name, register=True)).close()
        place = _place(running.port, pair.certificate)
        if request.param == "ejabberd":
            place["channel_binding"] = False  # that of Debian 12 offers it, and knows no type for TLS 1.3
        yield request.param, place
    finally:
        running.process.stop()


def _place(port: int, ca: Path) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "ca": ca}


async def first(feed: Any) -> Any:
    async with asyncio.timeout(TIMEOUT):
        return await anext(feed)


async def test_people_meet(peer: tuple[str, dict[str, Any]]) -> None:
    """Log in, roster, subscriptions, messages, requests both ways, what each can do; and a connection that is cut."""
    name, place = peer
    clock = FakeClock()
    alice = Client("alice@localhost/garden", generator.PASSWORD, features=[Roster], clock=clock, **place)
    bob = Client("bob@localhost/house", generator.PASSWORD, features=[Roster], **place)
    async with alice, bob:
        assert alice.jid.resource == "garden"
        await _befriend(alice, bob)
        await _talk(alice, bob)
        assert await alice.need(Pings).ping() >= 0
        assert await alice.need(Pings).ping(bob.jid) >= 0
        assert (await alice.need(SoftwareVersion).of("localhost")).name == SOFTWARE[name]
        assert (await alice.need(SoftwareVersion).of(bob.jid)).name == "Chirrup"
        assert (await alice.need(EntityTime).of("localhost")).utc is not None
        assert await alice.need(Disco).supports("localhost", "jabber:iq:version")
        assert "urn:xmpp:ping" in await alice.need(Capabilities).of(bob.jid)
        await _cut(alice, bob, clock)
        await alice.need(Roster).remove(bob.account)
    assert alice.change.reason is None


async def _befriend(alice: Client, bob: Client) -> None:
    seen = alice.presences(lambda presence: presence.sender == bob.jid and presence.available)
    back = bob.presences(lambda presence: presence.sender == alice.jid and presence.available)
    for one in (alice, bob):
        one.need(Presences).policy = everybody
    changes = alice.need(Roster).changes()
    await alice.need(Roster).set(bob.account, name="Bob", groups=["Friends"])
    assert (await first(changes)).after.groups == ("Friends",)
    await alice.need(Presences).subscribe(bob.account)
    await first(seen)
    await first(back)
    async with asyncio.timeout(TIMEOUT):
        while (await anext(changes)).after.subscription != "both":
            pass
    await bob.need(Presences).set("away", "lunch")
    away = await first(seen)
    while not away.show:
        away = await first(seen)
    assert (away.show, away.status) == ("away", "lunch")


async def _talk(alice: Client, bob: Client) -> None:
    at_alice, at_bob = alice.messages(), bob.messages()
    for number in range(50):
        await alice.send(Message(bob.account, f"Hello {number} <&>"))
    for number in range(50):
        message = await first(at_bob)
        assert message.body == f"Hello {number} <&>"
    await message.reply("Hello back")
    assert (await first(at_alice)).body == "Hello back"
    errors = alice.messages(lambda message: message.type == "error")
    await alice.send(Message("nobody@localhost", "Hello?", id="lost"))
    returned = await first(errors)
    assert returned.id == "lost" and isinstance(returned.error, StanzaError)


async def _cut(alice: Client, bob: Client, clock: FakeClock) -> None:
    """Stream management: what is sent while the connection is away isn't lost."""
    heard, states, jid = alice.messages(), alice.states(), alice.jid
    assert alice._managed is not None and alice._managed.may_resume
    assert alice._link is not None
    alice._link.abort()
    await bob.send(Message(alice.jid, "while away"))
    await bob.settle()
    async with asyncio.timeout(TIMEOUT):
        async for change in states:
            if change.state is ConnectionState.WAITING:
                clock.advance(2)
            if change.state is ConnectionState.ONLINE and change.resumed:
                break
    assert alice.jid == jid
    assert (await first(heard)).body == "while away"


async def test_a_wrong_password(peer: tuple[str, dict[str, Any]]) -> None:
    _, place = peer
    with pytest.raises(AuthenticationError, match="alice@localhost: not-authorized"):
        await Client("alice@localhost", "wrong", **place).connect()


async def test_a_guest_of_a_stranger(peer: tuple[str, dict[str, Any]]) -> None:
    """Presence to somebody who hasn't asked shows only to them."""
    _, place = peer
    alice = Client("alice@localhost", generator.PASSWORD, **place)
    bob = Client("bob@localhost", generator.PASSWORD, **place)
    async with alice, bob:
        seen = bob.presences(lambda presence: presence.sender == alice.jid)
        await alice.send(Presence(bob.jid, show="chat"))
        assert (await first(seen)).show == "chat"
