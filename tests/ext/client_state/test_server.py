from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.client_state import NS
from chirrup.ext.client_state.server import ClientState
from chirrup.ext.client_state.waiting import Waiting
from chirrup.server.session import Session
from chirrup.testing import FakeClock, TestClient, TestServer, serve

INACTIVE = f"<inactive xmlns='{NS}'/>"
ACTIVE = f"<active xmlns='{NS}'/>"
CHAT_STATE = "<{} xmlns='http://jabber.org/protocol/chatstates'/>"
MARKER = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"


def session_of(server: TestServer, client: TestClient) -> Session:
    return server.server.hosts["localhost"].accounts[client.jid.local].sessions[client.jid.resource]


async def pair(server: TestServer) -> tuple[TestClient, TestClient]:
    """Juliet's phone, and Romeo; Juliet sees his presence."""
    phone, romeo = await server.client("juliet/phone", presence=True), await server.client("romeo/orchard")
    phone.send("<presence type='subscribe' to='romeo@localhost'/>")
    await phone.settle()
    romeo.send("<presence type='subscribed' to='juliet@localhost'/><presence/>")
    await romeo.settle()
    await phone.settle()
    phone.received.clear()
    return phone, romeo


async def go_inactive(server: TestServer, phone: TestClient) -> None:
    """Tell the server, and see that it has heard of it without being sent anything more."""
    phone.send(INACTIVE)
    await phone.settle()
    assert Waiting in session_of(server, phone).data


def say(client: TestClient, inside: str, kind: str = "chat", to: str = "juliet@localhost/phone") -> None:
    client.send(f"<message to='{to}' type='{kind}'>{inside}</message>")


def unrequested(phone: TestClient) -> list[Element]:
    """What has come already, without asking the server anything."""
    found = list(phone.received)
    phone.received.clear()
    return found


async def test_presence_waits_and_only_the_newest_comes() -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        for show in ("away", "xa", "dnd"):
            romeo.send(f"<presence><show>{show}</show></presence>")
        await romeo.settle()
        assert len(session_of(server, phone).get(Waiting)) == 1
        phone.send(ACTIVE)
        (presence,) = [await phone.receive()]
        assert presence.child_text("show") == "dnd"
        await phone.settle()
        assert not phone.received


async def test_a_message_with_words_brings_all_that_waits_before_it() -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        romeo.send("<presence><show>away</show></presence>")
        say(romeo, MARKER)
        say(romeo, CHAT_STATE.format("composing"))
        say(romeo, CHAT_STATE.format("paused"))
        say(romeo, "<body>hi</body>")
        await romeo.settle()
        came = [await phone.receive() for _ in range(4)]
        assert [stanza.name for stanza in came] == ["presence", "message", "message", "message"]
        assert [stanza.first and stanza.first.name for stanza in came[1:]] == ["displayed", "paused", "body"]
        romeo.send("<presence><show>xa</show></presence>")
        await romeo.settle()
        assert len(session_of(server, phone).get(Waiting)) == 1


async def test_active_and_a_request_are_answered_in_order() -> None:
    """XEP-0352 §5.1."""
    async with serve() as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        romeo.send("<presence><show>away</show></presence>")
        await romeo.settle()
        phone.send(ACTIVE + "<iq type='get' id='ping1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert [(await phone.receive()).name for _ in range(2)] == ["presence", "iq"]


async def test_requests_for_a_subscription_do_not_wait() -> None:
    async with serve() as server:
        phone, _ = await pair(server)
        await go_inactive(server, phone)
        tybalt = await server.client("tybalt")
        tybalt.send("<presence type='subscribe' to='juliet@localhost'/>")
        assert (await phone.receive()).get("type") == "subscribe"


async def test_what_is_not_for_this_client_alone_waits_for_a_while() -> None:
    clock = FakeClock()
    async with serve({"modules": {"client_state": {"wait": 20}}}, clock=clock) as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        say(romeo, "<body>one</body>", "headline")
        await romeo.settle()
        clock.advance(15)
        say(romeo, "<body>two</body>", "headline")
        await romeo.settle()
        waiting = session_of(server, phone).get(Waiting)
        assert len(waiting) == 2  # type: ignore[arg-type]
        clock.advance(6)
        assert [(await phone.receive()).child_text("body") for _ in range(2)] == ["one", "two"]
        say(romeo, "<body>three</body>", "headline")
        await romeo.settle()
        clock.advance(19)
        assert len(waiting) == 1  # type: ignore[arg-type]
        clock.advance(1)
        assert (await phone.receive()).child_text("body") == "three"


async def test_the_clock_is_set_anew_after_everything_was_sent() -> None:
    clock = FakeClock()
    async with serve({"modules": {"client_state": {"wait": 20}}}, clock=clock) as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        say(romeo, "<body>one</body>", "headline")
        say(romeo, "<body>two</body>")
        await romeo.settle()
        assert [(await phone.receive()).child_text("body") for _ in range(2)] == ["one", "two"]
        clock.advance(10)
        say(romeo, "<body>three</body>", "headline")
        await romeo.settle()
        clock.advance(15)
        assert len(session_of(server, phone).get(Waiting)) == 1
        clock.advance(5)
        assert (await phone.receive()).child_text("body") == "three"


async def test_nothing_waits_for_a_while_where_no_time_is_given() -> None:
    async with serve({"modules": {"client_state": {"wait": 0}}}) as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        say(romeo, "<body>one</body>", "headline")
        assert (await phone.receive()).child_text("body") == "one"


async def test_a_mention_in_a_room_does_not_wait() -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        phone.send("<presence to='romeo@localhost/Capulet'/>")
        await go_inactive(server, phone)
        phone.received.clear()
        say(romeo, "<body>nobody in particular</body>", "groupchat")
        await romeo.settle()
        say(romeo, "<body>capulet: your turn</body>", "groupchat")
        assert [(await phone.receive()).child_text("body") for _ in range(2)] == [
            "nobody in particular",
            "capulet: your turn",
        ]


@pytest.mark.parametrize("quote", ["'", '"'])
async def test_the_own_presence_in_a_room_does_not_wait(quote: str) -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        room = "http://jabber.org/protocol/muc#user"
        for code in ("100", "110"):
            status = f"<x xmlns='{room}'><item role='none'/><status code={quote}{code}{quote}/></x>"
            romeo.send(f"<presence to='{phone.jid}' id='{code}'>{status}</presence>")
        assert [(await phone.receive()).get("id") for _ in range(2)] == ["100", "110"]


async def test_a_client_that_says_it_in_turns_without_end() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        phone, romeo = await pair(server)
        for number in range(1000):
            phone.send(f"{INACTIVE}<message to='{phone.jid}' type='headline'><body>{number}</body></message>{ACTIVE}")
        await phone.settle()
        assert [stanza.child_text("body") for stanza in unrequested(phone)] == [str(number) for number in range(1000)]
        assert not server.server.hosts["localhost"].module(ClientState)._due
        for _ in range(1000):
            phone.send(INACTIVE + ACTIVE + ACTIVE + INACTIVE)
        await phone.settle()
        say(romeo, "<body>hi</body>")
        assert (await phone.receive()).child_text("body") == "hi"


async def test_only_so_much_waits() -> None:
    async with serve({"modules": {"client_state": {"max_waiting": 3, "max_waiting_bytes": 4096}}}) as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        for _ in range(4):
            say(romeo, MARKER)
        assert [(await phone.receive()).name for _ in range(4)] == ["message"] * 4
        say(romeo, f"<thread>{'x' * 5000}</thread>{MARKER}")
        assert len((await phone.receive()).child_text("thread")) == 5000


async def test_it_is_said_once_or_twice_and_may_be_taken_back_twice() -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        await go_inactive(server, phone)
        say(romeo, MARKER)
        await romeo.settle()
        phone.send(INACTIVE + ACTIVE + ACTIVE)
        assert (await phone.receive()).first is not None
        await phone.settle()
        assert not phone.received
        say(romeo, MARKER)
        assert (await phone.receive()).first is not None


async def test_a_client_can_begin_inactive() -> None:
    async with serve() as server:
        phone, romeo = await pair(server)
        host = server.server.hosts["localhost"]
        session = session_of(server, phone)
        assert host.bind_inline["active", NS](session, parse_element(ACTIVE)) is None
        assert Waiting not in session.data
        assert host.bind_inline["inactive", NS](session, parse_element(INACTIVE)) is None
        say(romeo, MARKER)
        await romeo.settle()
        assert len(session.get(Waiting)) == 1


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("orderly", [False, True])
async def test_what_waits_when_the_session_ends_is_delivered_elsewhere(managed: bool, orderly: bool) -> None:
    async with serve({"hosts": {"localhost": {"modules_disabled": ["archive"]}}}) as server:
        phone, romeo = await pair(server)
        laptop = await server.client("juliet/laptop", presence=True)
        if managed:
            phone.send("<enable xmlns='urn:xmpp:sm:3'/>")
        await go_inactive(server, phone)
        say(romeo, MARKER)
        romeo.send("<presence><show>away</show></presence>")
        await romeo.settle()
        laptop.received.clear()
        if orderly:
            phone.send("</stream:stream>")
            assert not [stanza async for stanza in rest(phone) if stanza.first and stanza.first.name == "displayed"]
        else:
            phone.drop()
        while (stanza := await laptop.receive()).name != "message":
            pass
        assert stanza.first is not None
        assert stanza.first.name == "displayed"
        await laptop.settle()
        assert not [stanza for stanza in laptop.received if stanza.name == "message"]


async def rest(client: TestClient) -> AsyncIterator[Element]:
    """What comes until the stream ends."""
    with contextlib.suppress(ConnectionError):
        while True:
            yield await client.receive()


async def test_client_state_is_offered_after_the_log_in() -> None:
    async with serve() as server:
        phone = await server.client("juliet")
        assert phone.features.child("csi", NS) is not None


async def test_a_session_that_waits_for_its_client_holds_nothing_back() -> None:
    """What waited is among what the client is given when it comes back, and then it is active (XEP-0352 §5.2)."""
    async with serve() as server:
        phone, romeo = await pair(server)
        phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        assert (await phone.receive()).name == "enabled"
        await go_inactive(server, phone)
        session = session_of(server, phone)
        say(romeo, MARKER)
        await romeo.settle()
        assert session.management is not None
        assert not any(b"chat-markers" in written for written in session.management.queue)
        phone.drop()
        while not session.detached:
            await romeo.settle()
        assert Waiting not in session.data
        assert any(b"chat-markers" in written for written in session.management.queue)
        say(romeo, MARKER)
        await romeo.settle()
        assert sum(b"chat-markers" in written for written in session.management.queue) == 2
