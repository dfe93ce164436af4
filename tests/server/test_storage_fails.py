"""While nothing can be stored: messages flow, and aren't acknowledged until they are stored."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from chirrup.core.xml import Element
from chirrup.store.message_rows import Range
from chirrup.testing import TestClient, TestServer

SM = "urn:xmpp:sm:3"
R = f"<r xmlns='{SM}'/>"
PING = "<iq type='get' id='{}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
UNLIMITED = {"limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}}


def a(h: int) -> Element:
    return Element("a", SM, h=h)


def message(to: object, number: object) -> str:
    return f"<message type='chat' to='{to}' id='m{number}'><body>{number}</body></message>"


async def texts(client: TestClient, count: int) -> list[str]:
    return [(await client.receive()).child_text("body") for _ in range(count)]


async def archive(server: TestServer, name: str) -> list[str]:
    page = await server.server.store.messages.page(f"{name}@localhost", Range(), limit=999)
    return [one.value.partition("<body>")[2].partition("</body>")[0] for one in page]


async def acknowledged(client: TestClient, h: int) -> None:
    """Take what comes, until so much is acknowledged."""
    while await client.receive() != a(h):
        pass


async def held(they: Any, count: int) -> None:
    await they.until(lambda: they.server.server.store.health().held >= count)


async def test_acknowledgements_wait_and_nothing_else_does(managers, storage_fails):
    async with managers() as they:
        alice, _ = await they.client("alice", presence=False)
        bob, _ = await they.client("bob")
        await they.until(lambda: True)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 0) + R)
            assert await texts(bob, 1) == ["0"]
            assert await alice.receive() == a(0), "what it asks is answered, so that it doesn't take us for dead"
            await held(they, 2)
            alice.send(message("bob@localhost", 1) + PING.format("p") + R + R)
            assert (await alice.receive()).get("id") == "p"
            assert [await alice.receive() for _ in range(2)] == [a(0), a(0)]
            assert await texts(bob, 1) == ["1"]
            await held(they, 4)
            status = they.server.server.status()["store"]
            assert (status["healthy"], status["held"]) == (False, 4)
            assert "another program" in status["last_error"]
            end()
            await acknowledged(alice, 3)
            assert await archive(they.server, "alice") == await archive(they.server, "bob") == ["0", "1"]
            assert they.server.server.status()["store"]["healthy"]
            alice.send(message("bob@localhost", 2) + R)
            assert await alice.receive() == a(4)


async def test_without_acknowledgements_it_is_told_at_once(managers, storage_fails):
    async with managers() as they:
        alice = await they.server.client("alice")
        bob, _ = await they.client("bob")
        async with storage_fails(they.server):
            for number in range(2):
                alice.send(message("bob@localhost", number) + PING.format("p"))
                refused = await alice.receive()
                assert (refused.get("id"), refused.get("type")) == (f"m{number}", "error")
                assert refused.first.get("type") == "wait"
                assert (await alice.receive()).get("id") == "p"
        assert await texts(bob, 2) == ["0", "1"]
        await alice.settle()
        assert not alice.received
        assert await archive(they.server, "bob") == []


async def test_a_session_is_resumed_and_what_it_sends_again_is_known(managers, storage_fails):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa", presence=False)
        bob, _ = await they.client("bob")
        await they.until(lambda: True)
        alice.send(message("bob@localhost", 0) + R)
        assert await alice.receive() == a(1)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1) + PING.format("p") + message("bob@localhost", 2))
            await held(they, 4)
            await alice.receive()
            for _ in range(2):  # it is cut off again while it sends that again
                await they.cut(alice)
                alice, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
                assert (resumed.name, resumed.get("h")) == ("resumed", "1")
                alice.send(message("bob@localhost", 1))
                await they.until(lambda: they.session("alice/sofa").management.handled == 2)
            alice.send(PING.format("p") + message("bob@localhost", 2) + message("bob@localhost", 3))
            await held(they, 6)
            assert await texts(bob, 4) == ["0", "1", "2", "3"], "once each"
            end()
            await acknowledged(alice, 5)  # nobody has asked for it
            assert await archive(they.server, "alice") == await archive(they.server, "bob") == ["0", "1", "2", "3"]


async def test_what_is_not_to_be_stored_comes_once_too(managers, storage_fails):
    """It stands behind what isn't acknowledged, and so is sent again with that."""
    passing = message("bob@localhost", "x").replace("</message>", "<no-store xmlns='urn:xmpp:hints'/></message>")
    asks = "<iq type='get' id='ask' to='{}'><query xmlns='jabber:iq:version'/></iq>"
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa", presence=False)
        bob, _ = await they.client("bob/desk")
        bob.send(f"<presence to='{alice.jid}'/>")  # so that she may ask him
        await they.until(lambda: True)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1))
            await held(they, 2)
            behind = passing + asks.format(bob.jid)
            alice.send(behind + message("bob@localhost", 2))
            await held(they, 4)
            for _ in range(2):
                await they.cut(alice)
                alice, resumed = await they.back("alice/sofa", enabled.get("id"), 0)
                assert resumed.get("h") == "0"
                alice.send(message("bob@localhost", 1) + behind + message("bob@localhost", 2))
                await they.until(lambda: they.session("alice/sofa").management.handled == 4)
            alice.send(message("bob@localhost", 3))
            assert await texts(bob, 5) == ["1", "x", "", "2", "3"]
            end()
            await acknowledged(alice, 5)
            assert await archive(they.server, "bob") == ["1", "2", "3"]


async def test_who_sends_something_else_after_coming_back_is_not_taken_for_somebody_else(managers, storage_fails):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa", presence=False)
        bob, _ = await they.client("bob")
        await they.until(lambda: True)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1) + message("bob@localhost", 2) + message("bob@localhost", 3))
            await held(they, 6)
            await they.cut(alice)
            alice, resumed = await they.back("alice/sofa", enabled.get("id"), 0)
            assert resumed.get("h") == "0"
            alice.send(message("bob@localhost", 1) + message("bob@localhost", 3) + message("bob@localhost", 4) + R)
            await held(they, 10)
            assert await texts(bob, 5) == ["1", "2", "3", "3", "4"]
            await acknowledged(alice, 0)
            end()
            await acknowledged(alice, 3)
            assert await archive(they.server, "bob") == ["1", "2", "3", "3", "4"]


async def test_a_session_that_is_over_is_remembered_as_it_is_stored(managers, storage_fails):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa", presence=False)
        await they.client("bob")
        await they.until(lambda: True)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1) + message("bob@localhost", 2) + "</stream:stream>")
            await alice.end()  # it isn't kept waiting
            assert they.session("alice/sofa") is None
            await held(they, 4)
            _, failed = await they.back("alice/desk", enabled.get("id"), 0)
            assert (failed.name, failed.get("h")) == ("failed", "0")
            end()
            await they.until(lambda: not they.server.server.store.holding)
        _, failed = await they.back("alice/couch", enabled.get("id"), 0)
        assert (failed.name, failed.get("h")) == ("failed", "2")
        assert await archive(they.server, "bob") == ["1", "2"]


async def test_what_a_session_may_have_held_is_bounded(managers, storage_fails, monkeypatch):
    monkeypatch.setattr("chirrup.server.outgoing._MAX_UNSETTLED", 5)
    async with managers() as they:
        alice, _ = await they.client("alice", presence=False)
        bob, _ = await they.client("bob")
        await they.until(lambda: True)
        async with storage_fails(they.server) as end:
            alice.send("".join(message("bob@localhost", number) for number in range(7)))
            await held(they, 10)
            refused = [await alice.receive() for _ in range(2)]
            assert [(one.get("id"), one.get("type")) for one in refused] == [("m5", "error"), ("m6", "error")]
            assert await texts(bob, 7) == [str(number) for number in range(7)], "it is delivered all the same"
            end()
            alice.send(R)
            await acknowledged(alice, 7)
        assert await archive(they.server, "bob") == [str(number) for number in range(5)]


async def test_who_is_away_gets_it_all_the_same(managers, storage_fails):
    async with managers() as they:
        await they.server.add_account("bob")
        alice, _ = await they.client("alice", presence=False)
        await they.until(lambda: True)
        alice.send(message("bob@localhost", 0))
        await they.until(lambda: not they.session("alice/" + alice.jid.resource)._unsettled)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1) + message("bob@localhost", 2))
            await held(they, 4)
            bob, _ = await they.client("bob")
            assert await texts(bob, 3) == ["0", "1", "2"]
            bob.send(f"<a xmlns='{SM}' h='4'/>")
            await held(they, 5)
            alice.send(message("bob@localhost", 3))
            while (await bob.receive()).child_text("body") != "3":
                pass
            end()
            await they.until(lambda: not they.server.server.store.holding)
        assert await they.server.server.store.messages.count_waiting("bob@localhost") == 0
        assert await archive(they.server, "bob") == ["0", "1", "2", "3"]


async def test_an_archive_is_not_read_without_what_is_held(managers, storage_fails):
    """Whoever was told that this was all would go on from there, and never see what is stored later."""
    query = "<iq type='set' id='{}'><query xmlns='urn:xmpp:mam:2'/></iq>"
    metadata = "<iq type='get' id='m'><metadata xmlns='urn:xmpp:mam:2'/></iq>"
    async with managers() as they:
        await they.server.add_account("bob")
        await they.server.add_account("carol")
        alice, _ = await they.client("alice", presence=False)
        carol, _ = await they.client("carol", presence=False)
        alice.send(message("bob@localhost", 0))
        await they.until(lambda: not they.session("alice/" + alice.jid.resource)._unsettled)
        async with storage_fails(they.server) as end:
            alice.send(message("bob@localhost", 1) + query.format("q") + metadata)
            refused = await alice.receive()
            assert refused.get("id") == "q"
            assert refused.child("error").get("type") == "wait"
            told = (await alice.receive()).child("metadata", "urn:xmpp:mam:2")
            carol.send(query.format("c"))
            assert (await carol.receive()).get("type") == "result", "others' archives lack nothing"
            end()
            await they.until(lambda: not they.server.server.store.holding)
        alice.send(query.format("again"))
        found = []
        while (stanza := await alice.receive()).name == "message" or stanza.name == "a":
            found += [child.get("id") for child in stanza.elements("result", "urn:xmpp:mam:2")]
        assert len(found) == 2
        assert told.child("end").get("id") == found[-1]


class Lock:
    """Keeps the store's writer from going on."""

    def __init__(self, server: TestServer) -> None:
        self._open = threading.Event()
        self.write = server.server.store.submit(lambda connection: self._open.wait(30))

    def release(self) -> None:
        self._open.set()


async def test_a_client_whose_answers_wait_for_the_store_is_not_read(bystanders, monkeypatch):
    monkeypatch.setattr("chirrup.server.outgoing._MAX_UNSETTLED", 100)
    async with bystanders(UNLIMITED) as they:
        await they.server.add_account("nurse")
        carol = await they.server.client("carol")
        lock = Lock(they.server)
        carol.send("<message to='nurse@localhost' type='chat'><body>keep this</body></message>")
        for number in range(600):
            carol.send(f"<message to='nobody@localhost' id='{number}'><body>{'a' * 50_000}</body></message>")
        before = -1
        while carol.unsent != before:
            before = carol.unsent
            for _ in range(5):
                await they.chat()
        assert carol.unsent > 1_000_000
        lock.release()
        assert [(await carol.receive()).get("id") for _ in range(600)] == [str(number) for number in range(600)]


async def test_a_server_that_stops_does_not_wait(chirrup_server, storage_fails, caplog):
    async with chirrup_server(name="one") as server:
        alice = await server.client("alice/sofa")
        alice.send(f"<enable xmlns='{SM}' resume='1'/>")
        await alice.receive()
        bob = await server.client("bob", presence=True)
        alice.send(message("bob@localhost", 0) + R)
        assert await alice.receive() == a(1)
        async with storage_fails(server):
            alice.send(message("bob@localhost", 1))
            assert await texts(bob, 2) == ["0", "1"]
            await bob.settle()
            stopping = asyncio.create_task(server.server.stop())
            error = await alice.end()
            assert error is not None and error.condition == "system-shutdown"
            assert a(2) not in alice.received
            await bob.end()
            alice.drop()
            bob.drop()
            await stopping
    assert [record.getMessage() for record in caplog.records].count("messages were not stored") == 1
    async with chirrup_server(name="one") as server:
        assert await archive(server, "bob") == ["0"]
