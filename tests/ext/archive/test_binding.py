"""Binding a resource along with the log-in (XEP-0386): the archive has what has waited, and the client is told how far
it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chirrup import Message
from chirrup.core.errors import StoreError, StreamError
from chirrup.core.features import ClientFeature
from chirrup.core.features.resume import Management, managed
from chirrup.core.jid import JID
from chirrup.core.stream import CLIENT_FEATURES, Bound, ClientPolicy, Credentials
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import NS
from chirrup.ext.archive.catching_up import CatchUp
from chirrup.ext.archive.payloads import Metadata
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.carbons.server import Enabled
from chirrup.ext.client_state.client import ClientState
from chirrup.ext.client_state.waiting import Waiting
from chirrup.testing import TestClient, TestServer, serve

CARBONS, CSI = "urn:xmpp:carbons:2", "urn:xmpp:csi:0"
JULIET = "juliet@localhost"


async def bound(
    server: TestServer, *wishes: Element, features: Sequence[Callable[[], ClientFeature]] = CLIENT_FEATURES
) -> TestClient:
    """Juliet's client, whose resource came with the log-in."""
    client = await server.raw()
    policy = ClientPolicy(Credentials("juliet", "secret"), bind_inline=wishes)
    await client.log_in(policy, "localhost", features)
    return client


def told(client: TestClient) -> Metadata:
    """What it was told of the archive."""
    (event,) = (event for event in client.told if isinstance(event, Bound))
    (metadata,) = (answer for answer in event.inline if answer.ns == NS)
    return Metadata.parse(metadata)


async def write(server: TestServer, *words: str, to: str = JULIET) -> TestClient:
    romeo = await server.client("romeo@localhost/orchard", presence=True)
    for text in words:
        romeo.send(f"<message to='{to}' type='chat'><body>{text}</body></message>")
    await romeo.settle()
    return romeo


async def heard(client: TestClient, *expected: str) -> None:
    """With presence these messages come, and no others."""
    client.send("<presence/>")
    words: list[str] = []
    while len(words) < len(expected):
        if (stanza := await client.receive()).name == "message":
            words.append(stanza.child_text("body"))
    await client.settle()
    words += [stanza.child_text("body") for stanza in client.received if stanza.name == "message"]
    assert words == [*expected]


async def waiting(server: TestServer) -> int:
    return await server.server.store.messages.count_waiting(JULIET)


@pytest.fixture
async def server() -> Any:
    async with serve() as server:
        await server.add_account(JULIET)
        yield server


class Gate:
    """Holds the server where it looks into the archive, until something has happened."""

    def __init__(self, server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        store = server.server.store
        read = store.read

        async def slow(op: Callable[..., Any]) -> Any:
            if op.__qualname__.startswith("Archive._ends"):
                self.reached.set()
                await self.open.wait()
            return await read(op)

        monkeypatch.setattr(store, "read", slow)


# -- what it is told


async def test_an_empty_archive(server: TestServer) -> None:
    assert told(await bound(server)) == Metadata()


async def test_the_ends_of_the_archive(server: TestServer, query: Any) -> None:
    await write(server, "one", "two", "three")
    client = await bound(server)
    metadata = told(client)
    answer = await query(client)
    assert metadata.start is not None and metadata.end is not None
    assert [metadata.start.id, metadata.end.id] == [answer.ids[0], answer.ids[-1]]
    assert metadata.end.timestamp == answer.results[-1].forwarded.delay.stamp


async def test_without_archives_it_is_told_nothing_and_given_what_waits() -> None:
    async with serve({"hosts": {"localhost": {"modules_disabled": ["archive"]}}}) as server:
        await server.add_account(JULIET)
        await write(server, "one")
        client = await bound(server)
        assert [event.inline for event in client.told if isinstance(event, Bound)] == [()]
        await heard(client, "one")


async def test_a_store_that_fails_keeps_nobody_out(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store = server.server.store
    read = store.read

    async def failing(op: Callable[..., Any]) -> Any:
        if op.__qualname__.startswith("Archive._ends"):
            raise StoreError("the disk is gone")
        return await read(op)

    monkeypatch.setattr(store, "read", failing)
    client = await bound(server)
    assert [event.inline for event in client.told if isinstance(event, Bound)] == [()]
    await client.settle()


# -- what has waited


async def test_what_is_in_the_archive_is_not_delivered(server: TestServer, query: Any) -> None:
    await write(server, "one", "two")
    assert await waiting(server) == 2
    client = await bound(server)
    await heard(client)
    assert (await query(client)).texts == ["one", "two"]
    assert await waiting(server) == 0


async def test_it_does_not_wait_for_others_either(server: TestServer) -> None:
    """§3.2: the account's offline messages are cleared."""
    await write(server, "one")
    await bound(server)
    await heard(await server.client(f"{JULIET}/old"))


async def test_what_is_not_in_the_archive_is_delivered(server: TestServer) -> None:
    """Nobody else has it."""
    first = await server.client(JULIET)
    never = "<prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs>"
    first.send(f"<iq type='set' id='p'>{never}</iq>")
    await first.settle()
    first.drop()
    await write(server, "secret")
    await heard(await bound(server), "secret")


async def test_what_comes_before_presence_is_delivered(server: TestServer) -> None:
    """It came when the client knew already how far the archive goes."""
    client = await bound(server)
    await write(server, "one")
    await heard(client, "one")


async def test_what_another_client_is_being_given_it_gets(server: TestServer) -> None:
    await write(server, "one", "two")
    old = await server.client(f"{JULIET}/old")
    old.send("<presence/>")
    while (question := await old.receive()).name != "iq":
        pass
    new = await bound(server)
    assert told(new).end is not None
    old.send(Element("iq", CLIENT, type="result", id=question.get("id"), to=question.get("from")))
    await old.settle()
    assert await waiting(server) == 0
    await heard(new)


async def test_what_the_last_one_did_not_confirm_is_left_to_the_archive(server: TestServer) -> None:
    await write(server, "one")
    old = await server.client(f"{JULIET}/old")
    old.send("<presence/>")
    while (await old.receive()).name != "iq":
        pass
    old.drop()
    romeo = await server.client("romeo@localhost/orchard")
    account = server.server.hosts["localhost"].accounts["juliet"]
    while account.sessions:
        await romeo.settle()
    await heard(await bound(server))
    assert await waiting(server) == 0


async def test_what_two_have_left_to_the_archive_counts_once(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a message that comes then would wait for ever."""
    await write(server, "one", "two")
    gate = Gate(server, monkeypatch)
    clients = [asyncio.create_task(bound(server)) for _ in range(2)]
    await gate.reached.wait()
    gate.open.set()
    first, second = await asyncio.gather(*clients)
    for client in (first, second):
        await client.settle()
    await write(server, "three")
    await heard(first, "three")


# -- while it is answered


@pytest.mark.parametrize("state", ["active", "inactive"])
async def test_nothing_comes_before_the_answer(server: TestServer, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """The session is there already, and gets what is sent to it; its client sees the answer first."""
    gate = Gate(server, monkeypatch)
    client = asyncio.create_task(bound(server, Element("enable", CARBONS), Element(state, CSI)))
    await gate.reached.wait()
    account = server.server.hosts["localhost"].accounts["juliet"]
    (resource,) = account.sessions
    await write(server, "to me", to=f"{JULIET}/{resource}")
    gate.open.set()
    done = await client
    done.send("<active xmlns='urn:xmpp:csi:0'/>")
    await done.settle()
    assert [stanza.child_text("body") for stanza in done.received] == ["to me"]
    assert told(done).end is not None, "it is in the archive that the client was told of"


async def test_what_comes_meanwhile_counts_for_stream_management(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(server, monkeypatch)
    management = Management()
    client = asyncio.create_task(bound(server, features=managed(CLIENT_FEATURES, management)))
    await gate.reached.wait()
    account = server.server.hosts["localhost"].accounts["juliet"]
    (session,) = account.sessions.values()
    await write(server, "to me", to=session.jid.text)
    gate.open.set()
    done = await client
    assert management.enabled and session.management is not None
    assert (await done.receive()).child_text("body") == "to me"
    assert (await done.receive()).name == "r"
    done.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
    await done.settle()
    assert session.management.acknowledged == 1


async def test_a_session_that_ends_meanwhile(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client hears of that, and what it was given comes to others."""
    gate = Gate(server, monkeypatch)
    client = asyncio.create_task(bound(server, Element("enable", "urn:xmpp:sm:3", resume=True)))
    await gate.reached.wait()
    account = server.server.hosts["localhost"].accounts["juliet"]
    (session,) = account.sessions.values()
    await write(server, "to me", to=session.jid.text)
    session.wire.fail(StreamError("policy-violation", "ended by an administrator"))
    assert not account.sessions
    gate.open.set()
    with pytest.raises(StreamError):
        await client
    await heard(await server.client(f"{JULIET}/old"), "to me")


async def test_too_much_at_once_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve({"limits": {"send_buffer_bytes": 100_000, "burst_bytes": 10_000_000}}) as server:
        await server.add_account(JULIET)
        gate = Gate(server, monkeypatch)
        client = asyncio.create_task(bound(server))
        await gate.reached.wait()
        account = server.server.hosts["localhost"].accounts["juliet"]
        (resource,) = account.sessions
        await write(server, *["x" * 60_000] * 2, to=f"{JULIET}/{resource}")
        with pytest.raises(ConnectionError):
            await client
        assert not account.sessions
        gate.open.set()


# -- our own clients


async def test_who_reads_no_archive_is_given_what_has_waited(server: TestServer) -> None:
    await write(server, "one", "two")
    juliet = await server.sdk("juliet")
    messages = juliet.messages()
    async with juliet:
        async with asyncio.timeout(10):
            assert [(await anext(messages)).body for _ in range(2)] == ["one", "two"]


async def test_who_does_not_know_where_to_go_on_is_given_it_too(server: TestServer) -> None:
    await write(server, "one")
    juliet = await server.sdk("juliet", features=[CatchUp])
    messages = juliet.messages()
    async with juliet, asyncio.timeout(10):
        assert (await anext(messages)).body == "one"


async def test_who_reads_the_archive_binds_in_one_request(server: TestServer) -> None:
    async with await server.sdk("juliet", features=[CatchUp]) as juliet, await server.sdk("romeo") as romeo:
        messages = juliet.messages()
        await romeo.send(Message(JULIET, "one"))
        async with asyncio.timeout(10):
            assert (await anext(messages)).body == "one"
        last = juliet.need(CatchUp).last
    await write(server, "two")
    juliet = await server.sdk("juliet", features=[CatchUp, Carbons, ClientState])
    juliet.need(CatchUp).last = last
    await juliet.need(ClientState).inactive()
    messages = juliet.messages()
    async with juliet:
        async with asyncio.timeout(10):
            assert (await anext(messages)).body == "two"
        assert juliet.switched_on == {CARBONS, CSI, "urn:xmpp:sm:3"}
        (session,) = server.server.hosts["localhost"].accounts["juliet"].sessions.values()
        assert Enabled in session.data and Waiting in session.data and session.management is not None
        assert JID(juliet.jid.text).resource
        assert juliet.server_features.child("bind", "urn:ietf:params:xml:ns:xmpp-bind") is None
        assert await waiting(server) == 0
