from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chirrup.core.errors import StanzaError, StoreFull
from chirrup.core.framing import farewell
from chirrup.core.stanza import error_reply, read_error, result
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delay import NS as DELAY
from chirrup.store.messages import Messages
from chirrup.testing import FakeClock, TestClient, TestServer, serve

UNHURRIED = {"limits": {"burst_bytes": 100_000_000}}
"""Lets a client send many octets at once."""
PADDING = "x" * 10_000
"""A hundred messages with so much in them are about one batch."""


def say(client: TestClient, text: str, to: str = "juliet@localhost", *, kind: str = "chat", id_: str = "m") -> None:
    client.send(Element("message", CLIENT, Element("body", CLIENT, text), to=to, type=kind, id=id_))


async def question(client: TestClient) -> Element:
    """The server's question whether all has arrived; what comes before it stays in `received`."""
    before = []
    while True:
        stanza = await client.receive()
        if stanza.name == "iq" and stanza.get("type") == "get":
            client.received.extendleft(reversed(before))
            return stanza
        before.append(stanza)


async def confirm(client: TestClient) -> None:
    client.send(result(await question(client)))
    await client.settle()


async def arrive(server: TestServer, *, priority: int = 0, resource: str = "balcony") -> TestClient:
    """Juliet comes online."""
    client = await server.client(f"juliet@localhost/{resource}")
    client.send(f"<presence><priority>{priority}</priority></presence>")
    return client


def messages(client: TestClient) -> list[Element]:
    """The messages received by now, taken out of what was received."""
    found = [stanza for stanza in client.received if stanza.name == "message"]
    client.received.clear()
    return found


def texts(client: TestClient) -> list[str]:
    return [stanza.child_text("body") for stanza in messages(client)]


async def kept(server: TestServer) -> int:
    return await server.server.store.messages.count_waiting("juliet@localhost")


async def romeo_writes(server: TestServer, *words: str) -> TestClient:
    """Romeo, after he has written to Juliet, who isn't there."""
    await server.add_account("juliet")
    romeo = await server.client("romeo@localhost/orchard", presence=True)
    for text in words:
        say(romeo, text)
    await romeo.settle()
    return romeo


async def test_kept_in_order_stamped_and_forgotten_when_they_have_arrived() -> None:
    clock = FakeClock(1_700_049_600.0)
    async with serve(clock=clock) as server:
        romeo = await romeo_writes(server, "one", "two", "three")
        assert not romeo.received
        assert await kept(server) == 3
        clock.advance(60)
        juliet = await arrive(server)
        await confirm(juliet)
        first, second, third = messages(juliet)
        assert [one.child_text("body") for one in (first, second, third)] == ["one", "two", "three"]
        assert first.get("from") == "romeo@localhost/orchard"
        assert first.get("id") == "m"
        delay = first.child("delay", DELAY)
        assert delay is not None
        assert delay.get("from") == "localhost"
        assert delay.get("stamp").startswith("2023-11-15T12:00:00")
        assert await kept(server) == 0
        say(romeo, "four")
        await romeo.settle()
        await juliet.settle()
        (live,) = messages(juliet)
        assert live.child("delay", DELAY) is None


async def test_an_error_confirms_too() -> None:
    async with serve() as server:
        await romeo_writes(server, "one")
        juliet = await arrive(server)
        juliet.send(error_reply(await question(juliet), StanzaError("service-unavailable")))
        await juliet.settle()
        assert await kept(server) == 0


async def test_a_client_that_confirms_and_leaves_in_one_breath_has_confirmed() -> None:
    async with serve() as server:
        romeo = await romeo_writes(server, "one", "two")
        juliet = await arrive(server)
        answer = result(await question(juliet))
        juliet.send(answer.to_bytes() + farewell())
        await juliet.end()
        await romeo.settle()
        assert await kept(server) == 0
        say(romeo, "three")
        await romeo.settle()
        juliet = await arrive(server)
        await confirm(juliet)
        assert texts(juliet) == ["three"]


async def test_the_question_comes_from_the_account_itself() -> None:
    async with serve() as server:
        await romeo_writes(server, "one")
        juliet = await arrive(server)
        asked = await question(juliet)
        assert asked.get("from") == "juliet@localhost"
        assert asked.child("query", "http://jabber.org/protocol/disco#info") is not None


async def test_what_was_not_confirmed_goes_to_the_next_session() -> None:
    async with serve() as server:
        await romeo_writes(server, "one", "two")
        juliet = await arrive(server)
        await question(juliet)
        assert texts(juliet) == ["one", "two"]
        await juliet.close()
        juliet = await arrive(server)
        await confirm(juliet)
        assert texts(juliet) == ["one", "two"]
        assert await kept(server) == 0


async def test_a_second_session_takes_over_when_the_first_dies() -> None:
    async with serve() as server:
        await romeo_writes(server, "one")
        first = await arrive(server)
        asked = await question(first)
        second = await arrive(server, resource="chamber")
        await second.settle()
        assert texts(second) == []
        second.send(Element("iq", CLIENT, type="result", id=asked.get("id"), to="juliet@localhost"))  # not its to give
        await second.settle()
        assert await kept(server) == 1
        first.drop()
        await confirm(second)
        assert texts(second) == ["one"]
        assert await kept(server) == 0


async def test_a_session_that_never_confirms_gets_nothing_twice() -> None:
    clock = FakeClock()
    async with serve({"modules": {"offline": {"confirmation_timeout": 30}}}, clock=clock) as server:
        romeo = await romeo_writes(server, "one")
        juliet = await arrive(server)
        await question(juliet)
        clock.advance(31)
        await juliet.settle()
        assert texts(juliet) == ["one"]
        juliet.send("<presence type='unavailable'/><presence/>")
        say(romeo, "two")
        await romeo.settle()
        await juliet.settle()
        assert texts(juliet) == ["two"]
        assert await kept(server) == 1
        other = await arrive(server, resource="chamber")
        await confirm(other)
        assert texts(other) == ["one"]


async def test_a_negative_priority_receives_nothing() -> None:
    async with serve() as server:
        juliet = await arrive(server, priority=-1)
        await juliet.settle()
        await romeo_writes(server, "one")
        await juliet.settle()
        assert texts(juliet) == []
        assert await kept(server) == 1
        juliet.send("<presence/>")
        await confirm(juliet)
        assert texts(juliet) == ["one"]


async def test_more_than_fits_into_one_batch_comes_in_order_with_what_is_said_meanwhile() -> None:
    words = [f"kept {number} {PADDING}" for number in range(250)]
    async with serve(UNHURRIED) as server:
        romeo = await romeo_writes(server, *words)
        juliet = await arrive(server)
        asked = await question(juliet)
        say(romeo, "meanwhile")
        say(romeo, "and to the resource", to="juliet@localhost/balcony")
        await romeo.settle()
        got = texts(juliet)
        assert 0 < len(got) < 250
        while len(got) < 250:
            juliet.send(result(asked))
            asked = await question(juliet)
            got += texts(juliet)
        assert got == [*words, "meanwhile", "and to the resource"]
        say(romeo, "afterwards")
        await romeo.settle()
        juliet.send(result(asked))
        await juliet.settle()
        assert texts(juliet) == ["afterwards"]
        assert await kept(server) == 0


async def test_many_small_messages_are_one_batch() -> None:
    words = [f"kept {number}" for number in range(250)]
    async with serve() as server:
        await romeo_writes(server, *words)
        juliet = await arrive(server)
        await question(juliet)
        assert texts(juliet) == words


async def test_large_messages_come_in_small_batches() -> None:
    async with serve(UNHURRIED) as server:
        romeo = await romeo_writes(server)
        for number in range(6):
            say(romeo, f"{number} " + "x" * 240_000)
        await romeo.settle()
        juliet = await arrive(server)
        got = list[int]()
        while len(got) < 6:
            asked = await question(juliet)
            batch = [int(text.split()[0]) for text in texts(juliet)]
            assert len(batch) <= 5
            got += batch
            juliet.send(result(asked))
        await juliet.settle()
        assert got == list(range(6))
        assert await kept(server) == 0


async def test_unavailable_in_the_middle_of_it() -> None:
    words = [f"kept {number} {PADDING}" for number in range(150)]
    async with serve(UNHURRIED) as server:
        await romeo_writes(server, *words)
        juliet = await arrive(server)
        asked = await question(juliet)
        juliet.send("<presence type='unavailable'/>")
        juliet.send(result(asked))
        await juliet.settle()
        got = texts(juliet)
        assert await kept(server) == 150 - len(got) > 0
        juliet.send("<presence/>")
        await confirm(juliet)
        assert got + texts(juliet) == words


async def test_when_there_is_no_room_the_sender_is_told() -> None:
    async with serve({"limits": {"offline_messages": 2}}) as server:
        romeo = await romeo_writes(server, "one", "two", "three")
        (refused,) = romeo.received
        assert refused.get("type") == "error"
        assert read_error(refused).condition == "service-unavailable"
        juliet = await arrive(server)
        await confirm(juliet)
        assert texts(juliet) == ["one", "two"]
        await juliet.close()
        romeo.received.clear()
        say(romeo, "there is room again")
        await romeo.settle()
        assert not romeo.received


async def test_when_there_is_no_room_while_they_are_handed_over() -> None:
    async with serve({"limits": {"offline_messages": 120, **UNHURRIED["limits"]}}) as server:
        romeo = await romeo_writes(server, *(f"{number} {PADDING}" for number in range(120)))
        juliet = await arrive(server)
        await question(juliet)
        say(romeo, "one too many")
        await romeo.settle()
        (refused,) = romeo.received
        assert read_error(refused).condition == "resource-constraint"


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("<message to='juliet@localhost' type='headline'><body>news</body></message>", None),
        (
            "<message to='juliet@localhost' type='chat'><gone xmlns='http://jabber.org/protocol/chatstates'/></message>",
            None,
        ),
        (
            "<message to='juliet@localhost' type='chat'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>",
            "service-unavailable",
        ),
        ("<message to='juliet@localhost' type='groupchat'><body>all</body></message>", "service-unavailable"),
    ],
)
async def test_what_is_not_kept(message: str, answer: str | None) -> None:
    async with serve() as server:
        romeo = await romeo_writes(server)
        romeo.send(message)
        await romeo.settle()
        assert [read_error(stanza).condition for stanza in romeo.received] == ([answer] if answer else [])
        assert await kept(server) == 0


async def test_what_could_not_be_stored_is_refused_and_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve({"limits": {"offline_messages": 1}}) as server:
        romeo = await romeo_writes(server)
        await server.server.hosts["localhost"].load("juliet")

        def fails(*_: object, **__: object) -> asyncio.Future[int]:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(StoreFull("the device has no room left"))
            return future

        with monkeypatch.context() as patch:
            patch.setattr(Messages, "add", fails)
            say(romeo, "one")
            refused = await romeo.receive()
        error = read_error(refused)
        assert (error.condition, error.type) == ("internal-server-error", "wait")
        say(romeo, "two")
        await romeo.settle()
        assert not romeo.received
        juliet = await arrive(server)
        await confirm(juliet)
        assert texts(juliet) == ["two"]


async def test_what_others_took_away_is_not_waited_for() -> None:
    async with serve() as server:
        romeo = await romeo_writes(server, "one")
        messages = server.server.store.messages
        ids = [message.id for message in await messages.waiting("juliet@localhost", limit=9)]
        await messages.delivered("juliet@localhost", ids)
        juliet = await arrive(server)
        await juliet.settle()
        juliet.received.clear()  # her own presence
        say(romeo, "two")
        assert (await juliet.receive()).child_text("body") == "two"


async def test_they_outlive_the_server(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        await romeo_writes(server, "one")
    async with serve(data=tmp_path) as server:
        juliet = await arrive(server)
        await confirm(juliet)
        assert texts(juliet) == ["one"]
        assert await kept(server) == 0


async def test_they_go_with_the_account() -> None:
    async with serve() as server:
        await romeo_writes(server, "one")
        await server.server.hosts["localhost"].remove_account("juliet")
        juliet = await arrive(server)
        await juliet.settle()
        assert texts(juliet) == []


async def test_a_delay_in_the_hosts_name_is_taken_away() -> None:
    """Clients trust their own server in that (XEP-0203 §5); of others', and of rooms, it knows nothing."""
    forged = f"<delay xmlns='{DELAY}' from='{{}}' stamp='2002-09-10T23:08:25Z'/>"
    async with serve() as server:
        romeo = await server.client("romeo/orchard")
        balcony = await server.client("juliet/balcony", presence=True)
        chamber = await server.client("juliet/chamber")
        await chamber.ask(
            Element("iq", CLIENT, Element("enable", "urn:xmpp:carbons:2"), type="set", to="juliet@localhost")
        )
        for to in ("juliet@localhost", "juliet@localhost/balcony"):
            delays = "".join(map(forged.format, ("localhost", "LOCALHOST", "rooms.localhost")))
            romeo.send(f"<message to='{to}' type='chat'><body>then</body>{delays}</message>")
        await romeo.settle()
        await balcony.settle()
        await chamber.settle()
        direct = messages(balcony)
        copied = [
            stanza.first.first.first  # type: ignore[union-attr]
            for stanza in messages(chamber)
        ]
        for stanza in (*direct, *copied):
            assert stanza is not None
            assert [delay.get("from") for delay in stanza.elements("delay", DELAY)] == ["rooms.localhost"]
        assert len(direct) == len(copied) == 2
