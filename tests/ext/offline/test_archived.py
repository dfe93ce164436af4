"""Offline messages and the archive: one copy, delivered in one way or the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chirrup.core.stanza import result
from chirrup.core.xml import CLIENT
from chirrup.ext.archive import NS as ARCHIVE
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.testing import FakeClock, TestClient, TestServer, serve

SM = "urn:xmpp:sm:3"
QUERY = f"<iq type='set' id='query'><query xmlns='{ARCHIVE}'/></iq>"
PADDING = "x" * 10_000
UNHURRIED = {"limits": {"burst_bytes": 100_000_000}}


def say(client: TestClient, *words: str, to: str = "juliet@localhost") -> None:
    for text in words:
        client.send(f"<message to='{to}' type='chat'><body>{text}</body></message>")


async def romeo_writes(server: TestServer, *words: str) -> TestClient:
    await server.add_account("juliet")
    romeo = await server.client("romeo@localhost/orchard", presence=True)
    say(romeo, *words)
    await romeo.settle()
    return romeo


def texts(client: TestClient) -> list[str]:
    """Of the messages received by now; those of the archive in brackets."""
    found = []
    for stanza in client.received:
        if stanza.name == "message" and (archived := stanza.child("result", ARCHIVE)) is not None:
            assert archived.first is not None
            inner = archived.first.child("message", CLIENT)
            assert inner is not None
            found.append(f"[{inner.child_text('body')}]")
        elif stanza.name == "message":
            found.append(stanza.child_text("body"))
    client.received.clear()
    return found


async def answer(client: TestClient) -> None:
    """Answer what the server has asked by now, and so confirm what came before."""
    await client.settle()
    for stanza in list(client.received):
        if stanza.name == "iq" and stanza.get("type") == "get":
            client.received.remove(stanza)
            client.send(result(stanza))
    await client.settle()


async def until_texts(client: TestClient, *words: str) -> None:
    """Wait until just these have come."""
    async with asyncio.timeout(10):
        while len([stanza for stanza in client.received if stanza.name == "message"]) < len(words):
            await client.settle()
    assert [stanza.child_text("body") for stanza in client.received if stanza.name == "message"] == [*words]


async def kept(server: TestServer) -> int:
    return await server.server.store.messages.count_waiting("juliet@localhost")


async def until(server: TestServer, count: int) -> None:
    """Wait until so many wait."""
    async with asyncio.timeout(10):
        while await kept(server) != count:  # each look waits for a thread
            pass


async def test_what_was_fetched_before_presence_is_not_handed_over() -> None:
    async with serve() as server:
        romeo = await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(QUERY)
        await juliet.settle()
        assert await kept(server) == 2, "it may not have come"
        await answer(juliet)
        assert texts(juliet) == ["[one]", "[two]"]
        assert await kept(server) == 0
        say(romeo, "three")
        await romeo.settle()
        juliet.send("<presence/>")
        while (stanza := await juliet.receive()).get("type") != "get":
            if stanza.name == "message":
                assert stanza.child_text("body") == "three"
        juliet.send(result(stanza))
        await juliet.settle()
        assert texts(juliet) == []
        assert await kept(server) == 0


async def test_what_is_fetched_together_with_presence_is_not_handed_over() -> None:
    async with serve() as server:
        romeo = await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<presence/>{QUERY}")
        await juliet.settle()
        say(romeo, "live")
        await romeo.settle()
        await answer(juliet)
        assert texts(juliet) == ["[one]", "[two]", "live"]
        assert await kept(server) == 0


async def test_part_of_it_fetched_the_rest_handed_over() -> None:
    page = "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set>"
    async with serve() as server:
        await romeo_writes(server, "one", "two", "three")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<iq type='set' id='q'><query xmlns='{ARCHIVE}'>{page}</query></iq>")
        await answer(juliet)
        assert texts(juliet) == ["[one]"]
        assert await kept(server) == 2
        juliet.send("<presence/>")
        found = []
        while len(found) < 2:
            if (stanza := await juliet.receive()).name == "message":
                found.append((stanza.child_text("body"), bool(stanza_id_by(stanza, juliet.jid.bare))))
        assert found == [("two", True), ("three", True)]


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("available", [True, False])
async def test_what_was_fetched_and_may_not_have_come_is_for_the_next_client(managed: bool, available: bool) -> None:
    async with serve() as server:
        await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        if managed:
            juliet.send(f"<enable xmlns='{SM}' resume='1'/>")
        juliet.send(("<presence/>" if available else "") + QUERY)
        await juliet.settle()
        assert texts(juliet) == ["[one]", "[two]"]
        nurse = await server.client("juliet@localhost/chamber", presence=True)
        assert texts(nurse) == [], "it isn't known yet"
        await juliet.close()
        await until_texts(nurse, "one", "two")
        await answer(nurse)
        await until(server, 0)


async def test_an_acknowledgement_confirms_what_was_fetched() -> None:
    async with serve() as server:
        await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<enable xmlns='{SM}'/>{QUERY}")
        await juliet.settle()
        assert await kept(server) == 2
        count = sum(stanza.ns == CLIENT for stanza in juliet.received)
        juliet.send(f"<a xmlns='{SM}' h='{count}'/><presence/>")
        await until(server, 0)
        await juliet.settle()
        assert texts(juliet) == ["[one]", "[two]"]


async def test_who_never_says_what_has_come_gets_no_more_of_it() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        await romeo_writes(server, "one")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<presence/>{QUERY}")
        await juliet.settle()
        nurse = await server.client("juliet@localhost/chamber", presence=True)
        clock.advance(120)
        await until_texts(nurse, "one")
        await juliet.settle()
        assert texts(juliet) == ["[one]"]


async def test_what_was_handed_over_and_not_confirmed_is_fetched_instead() -> None:
    async with serve() as server:
        await romeo_writes(server, "one", "two")
        first = await server.client("juliet@localhost/balcony")
        first.send("<presence/>")
        while (await first.receive()).get("type") != "get":
            pass
        first.drop()
        juliet = await server.client("juliet@localhost/chamber")
        juliet.send(f"{QUERY}<presence/>")
        await answer(juliet)
        await until(server, 0)
        await juliet.settle()
        assert texts(juliet) == ["[one]", "[two]"]


async def test_without_the_archive_they_have_no_ids() -> None:
    async with serve({"hosts": {"localhost": {"modules_disabled": ["archive"]}}}) as server:
        await romeo_writes(server, "one")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send("<presence/>")
        while (stanza := await juliet.receive()).name != "message":
            pass
        assert stanza.child("stanza-id", "urn:xmpp:sid:0") is None
        assert stanza.child("delay", "urn:xmpp:delay") is not None


async def test_an_acknowledgement_confirms() -> None:
    async with serve() as server:
        await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<enable xmlns='{SM}'/>")
        assert (await juliet.receive()).name == "enabled"
        juliet.send("<presence/>")
        count = 0
        while (stanza := await juliet.receive()).name != "r":
            count += stanza.ns == CLIENT
        assert await kept(server) == 2
        juliet.send(f"<a xmlns='{SM}' h='{count}'/>")
        await until(server, 0)
        assert not [one for one in juliet.received if one.get("type") == "get"]


@pytest.mark.parametrize("disabled", [[], ["archive"]])
async def test_what_was_not_acknowledged_is_handed_over_once_to_the_next_client(disabled: list[str]) -> None:
    async with serve({"hosts": {"localhost": {"modules_disabled": disabled}}}) as server:
        romeo = await romeo_writes(server, "one", "two")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<enable xmlns='{SM}'/><presence/>")
        while (await juliet.receive()).name != "r":
            pass
        say(romeo, "live")
        await romeo.settle()
        await juliet.close()
        await until(server, 3)
        juliet = await server.client("juliet@localhost/chamber")
        juliet.send("<presence/>")
        found = []
        while len(found) < 3:
            if (stanza := await juliet.receive()).name == "message":
                found.append((stanza.child_text("body"), len(list(stanza.elements("delay", "urn:xmpp:delay")))))
        assert found == [("one", 1), ("two", 1), ("live", 1)]


@pytest.mark.parametrize("inside", ["", "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"])
async def test_without_the_archive_one_client_after_the_other_may_vanish_with_it(inside: str) -> None:
    """It is written down once, however often it goes on: what a session left, and what came with a delay of its own."""
    async with serve({"hosts": {"localhost": {"modules_disabled": ["archive"]}}}) as server:
        romeo = await romeo_writes(server)
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<enable xmlns='{SM}'/><presence/>")
        await juliet.settle()
        romeo.send(f"<message to='juliet@localhost' type='chat'><body>one</body>{inside}</message>")
        await romeo.settle()
        await juliet.close()
        await until(server, 1)
        for _ in range(3):
            juliet = await server.client("juliet@localhost/chamber")
            juliet.send(f"<enable xmlns='{SM}'/><presence/>")
            while (await juliet.receive()).name != "r":
                pass
            await juliet.close()
            await romeo.settle()
            await server.server.store.settled()
            assert await kept(server) == 1


async def test_without_the_archive_much_that_was_not_acknowledged_is_handed_over_once() -> None:
    """More than is dealt with at once when a session ends, while another is already being handed it over."""
    words = [str(number) for number in range(150)]
    async with serve({"hosts": {"localhost": {"modules_disabled": ["archive"]}}}) as server:
        await romeo_writes(server, *words)
        first = await server.client("juliet@localhost/balcony")
        first.send(f"<enable xmlns='{SM}'/><presence/>")
        while (await first.receive()).name != "r":
            pass
        second = await server.client("juliet@localhost/chamber", presence=True)
        await first.close()
        await until_texts(second, *words)
        await answer(second)
        await until(server, 0)
        assert len(texts(second)) == len(words)


async def test_another_client_gets_live_messages_while_the_first_is_handed_over_the_old_ones() -> None:
    async with serve(UNHURRIED) as server:
        romeo = await romeo_writes(server, *(f"{number} {PADDING}" for number in range(150)))
        first = await server.client("juliet@localhost/balcony")
        first.send("<presence/>")
        while (question := await first.receive()).get("type") != "get":
            pass
        second = await server.client("juliet@localhost/chamber", presence=True)
        say(romeo, "live")
        await romeo.settle()
        await second.settle()
        assert texts(second) == ["live"]
        first.received.clear()
        found: list[str] = []
        while "live" not in found:
            first.send(result(question))
            while (question := await first.receive()).get("type") != "get":
                found.append(question.child_text("body").split()[0] if question.name == "message" else "")
        assert found[-1] == "live"
        assert found.count("live") == 1


async def test_who_is_not_available_any_more_gets_at_once_what_is_for_this_client() -> None:
    """Nothing more is handed over to it, so there is nothing behind which it would come."""
    async with serve() as server:
        romeo = await romeo_writes(server, "one")
        juliet = await server.client("juliet@localhost/balcony")
        juliet.send(f"<enable xmlns='{SM}'/><presence/>")
        await until_texts(juliet, "one")
        juliet.send("<presence type='unavailable'/>")
        await juliet.settle()
        say(romeo, "two")
        say(romeo, "three", to=str(juliet.jid))
        await romeo.settle()
        await juliet.settle()
        assert texts(juliet) == ["one", "three"]


async def test_what_another_client_fetches_is_handed_over_all_the_same() -> None:
    """A message that came when its receiver was there already stands behind those that it is being handed over: for
    this client it is new, whoever else has found it in the archive."""
    newest = "<set xmlns='http://jabber.org/protocol/rsm'><max>5</max><before/></set>"
    async with serve(UNHURRIED) as server:
        romeo = await romeo_writes(server, *(f"{number} {PADDING}" for number in range(150)))
        first = await server.client("juliet@localhost/balcony")
        first.send("<presence/>")
        while (question := await first.receive()).get("type") != "get":
            pass
        say(romeo, "live")
        await romeo.settle()
        second = await server.client("juliet@localhost/chamber")
        second.send(f"<iq type='set' id='query'><query xmlns='{ARCHIVE}'>{newest}</query></iq>")
        await second.settle()
        assert texts(second)[-1] == "[live]"
        first.received.clear()
        numbers: list[str] = []
        while "live" not in numbers:
            first.send(result(question))
            while (question := await first.receive()).get("type") != "get":
                numbers.append(question.child_text("body").split()[0] if question.name == "message" else "")
        assert numbers == [*(str(number) for number in range(int(numbers[0]), 150)), "live"]
        first.send(result(question))
        await first.settle()
        assert await kept(server) == 0


async def test_a_forged_id_is_no_reason_not_to_deliver(remote: Callable[..., Any]) -> None:
    async with serve() as server:
        await romeo_writes(server, "one")
        other = remote(server, "example.net")
        (first,) = await server.server.store.messages.waiting("juliet@localhost", limit=9)
        uid = server.server.store.messages.uid(first.id)
        forged = f"<stanza-id xmlns='urn:xmpp:sid:0' id='{uid}' by='juliet@localhost'/>"
        await other.send(f"<message from='a@example.net/x' to='juliet@localhost'><body>two</body>{forged}</message>")
        assert [
            one.id != first.id for one in await server.server.store.messages.waiting("juliet@localhost", limit=9)
        ] == [
            False,
            True,
        ]
