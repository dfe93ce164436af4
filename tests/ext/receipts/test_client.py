from __future__ import annotations

import asyncio

import pytest

from chirrup import Client, Message, StanzaError
from chirrup.core.errors import DeadlineError, LocalProtocolError
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.disco.client import Disco
from chirrup.ext.presence.client import Presences, everybody
from chirrup.ext.receipts import NS
from chirrup.ext.receipts import client as receipts_client
from chirrup.ext.receipts.client import Receipts
from chirrup.ext.receipts.payloads import Receipt, ReceiptRequest
from chirrup.ext.roster.client import Roster
from chirrup.testing import FakeClock, serve


async def befriend(alice: Client, bob: Client) -> None:
    """Bob lets Alice see his presence."""
    bob.need(Presences).policy = everybody
    bob.need(Presences).mutual = False
    changes = bob.need(Roster).changes()
    await alice.need(Presences).subscribe(bob.account)
    while (await anext(changes)).after is None:
        pass


async def test_a_message_has_arrived() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob", features=[Receipts]) as bob,
        asyncio.timeout(10),
    ):
        await befriend(alice, bob)
        receipts = alice.need(Receipts)
        message = Message("bob@localhost", "Hello")
        assert await receipts.send(message) == bob.jid
        assert message.has(ReceiptRequest)
        assert await alice.need(Disco).supports(bob.jid, NS)
        again = await receipts.request(Message(bob.jid, "Hello again"))
        assert await again == bob.jid
        assert not receipts._waiting


async def test_strangers_get_no_receipt() -> None:
    """§8: it would tell them that the client is there."""
    clock = FakeClock()
    async with (
        serve() as server,
        await server.sdk("bob", features=[Receipts]) as bob,
        await server.sdk("alice", clock=clock) as alice,
        asyncio.timeout(10),
    ):
        heard, mine = bob.messages(), alice.messages(lambda message: message.has(Receipt))
        waiting = asyncio.create_task(alice.need(Receipts).send(Message("bob@localhost", "Hello"), timeout=60))
        assert (await anext(heard)).has(ReceiptRequest)
        await bob.settle()
        await alice.settle()
        assert not len(mine)
        clock.advance(60)
        with pytest.raises(DeadlineError, match="a receipt from bob@localhost"):
            await waiting
        bob.need(Receipts).policy = lambda jid: jid == alice.account
        assert await alice.need(Receipts).send(Message("bob@localhost", "Hello")) == bob.jid


async def test_what_comes_back_has_not_arrived() -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(10):
        with pytest.raises(StanzaError, match="service-unavailable"):
            await alice.need(Receipts).send(Message("nobody@localhost", "Hello"))


async def test_nobody_else_can_say_that_it_has() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("mallory") as mallory,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        arrived = await alice.need(Receipts).request(Message("bob@localhost", "Hello", id="guessed"))
        seen = alice.messages(lambda message: message.has(Receipt))
        await mallory.send(Message("alice@localhost", None, Receipt("guessed")))
        await anext(seen)
        assert not arrived.done()
        await bob.send(Message("alice@localhost", None, Receipt("another")))
        await bob.send(Message("alice@localhost", None, Receipt("guessed")))
        assert await arrived == bob.jid


async def test_what_gets_no_receipt() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob", features=[Receipts]) as bob,
        asyncio.timeout(10),
    ):
        bob.need(Receipts).policy = lambda jid: True
        seen = alice.messages(lambda message: message.has(Receipt))
        asked = ReceiptRequest()
        for message in (
            Message("bob@localhost", None, asked, Receipt("x")),
            Message(bob.jid, "to a room", asked, type="groupchat"),
            Message(bob.jid, "good", asked, type="normal", id="good"),
        ):
            await alice.send(message)
        receipt = await anext(seen)
        assert (receipt.get(Receipt), receipt.type, receipt.has(ReceiptRequest)) == (
            Receipt("good"),
            "normal",
            False,
        )
    with pytest.raises(LocalProtocolError):
        await alice.need(Receipts).request(Message("room@localhost", "Hello", type="groupchat"))
    with pytest.raises(LocalProtocolError):
        await alice.need(Receipts).request(Message("bob@localhost", None, Receipt("x")))


async def test_what_another_client_was_sent_gets_its_receipt_from_there() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob/home") as home,
        await server.sdk("bob/garden", features=[Carbons]) as garden,
        asyncio.timeout(10),
    ):
        for client in (home, garden):
            client.need(Receipts).policy = lambda jid: True
        seen, copies = alice.messages(lambda message: message.has(Receipt)), garden.messages()
        await alice.send(Message("bob@localhost/home", "Hello", ReceiptRequest(), id="one"))
        assert (await anext(seen)).sender == home.jid
        assert (await anext(copies)).copied
        await garden.settle()
        await alice.send(Message("bob@localhost/garden", "Hello", ReceiptRequest(), id="two"))
        receipt = await anext(seen)
        assert (receipt.sender, receipt.get(Receipt)) == (garden.jid, Receipt("two"))


async def test_only_so_many_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts_client, "MOST", 2)
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob"), asyncio.timeout(10):
        made = [await alice.need(Receipts).request(Message("bob@localhost", "Hello")) for _ in range(3)]
        await asyncio.sleep(0)
        assert [one.cancelled() for one in made] == [True, False, False]
        for one in made:
            one.cancel()
