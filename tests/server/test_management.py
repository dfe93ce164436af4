"""Acknowledgements (XEP-0198 §§3, 4): who counts what, when the server asks, and what it never says too early."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.xml import Element
from chirrup.testing import FakeClock

SM = "urn:xmpp:sm:3"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
R = f"<r xmlns='{SM}'/>"
UNEXPECTED = Element("failed", SM, Element("unexpected-request", STANZAS))

GATE = """
import asyncio
from chirrup.server.module import Module, iq_get
from chirrup.server import hooks

class Gate(Module):
    "Keeps those who ask, and holds back messages with an id, until it is opened."

    async def start(self):
        self.gate = asyncio.Event()
        self.stored = asyncio.get_running_loop().create_future()
        self.heard = []

    @iq_get(("wait", "urn:test"))
    async def wait(self, request):
        await self.gate.wait()

    @hooks.message_out()
    def hold(self, session, stanza, to):
        if stanza.get("id") == "held":
            session.hold(self.stored, stanza)

    @hooks.session_acknowledged()
    def acknowledged(self, session):
        self.heard.append(session.jid.text)
        assert session.jid.local != "mallory"
"""
WAIT = "<iq type='get' id='wait' to='localhost'><wait xmlns='urn:test'/></iq>"


def gate_of(server):
    return next(m for m in server.server.hosts["localhost"].modules.values() if m.name() == "under_test")


def a(h):
    return f"<a xmlns='{SM}' h='{h}'/>"


async def chat(sender, receiver, count=1):
    for number in range(count):
        sender.send(f"<message to='{receiver.jid}' type='chat'><body>{number}</body></message>")
    await sender.settle()


# -- switching it on


async def test_it_is_switched_on(managers):
    async with managers() as they:
        _, enabled = await they.client("alice/sofa")
        assert enabled.attrs.keys() == {"id", "resume", "max"}
        assert (enabled.get("resume"), enabled.get("max")) == ("true", "600")
        assert len(enabled.get("id")) >= 22


async def test_sessions_that_are_not_to_be_resumed_have_no_name(managers):
    async with managers() as they:
        _, enabled = await they.client("alice/sofa", resume="false")
        assert enabled == Element("enabled", SM)


@pytest.mark.parametrize(("wanted", "given"), [("30", "30"), ("600", "600"), ("86400", "600")])
async def test_how_long_a_client_would_like_to_be_away(managers, wanted, given):
    async with managers() as they:
        _, enabled = await they.client("alice/sofa", max=wanted)
        assert enabled.get("max") == given


async def test_the_server_may_keep_nothing_and_may_say_where_it_is(managers):
    async with managers({"limits": {"resumption_seconds": 0}}) as they:
        _, enabled = await they.client("alice/sofa")
        assert enabled == Element("enabled", SM)
        client, failed = await they.back("alice/sofa", "x", 0)
        assert failed == Element("failed", SM, Element("feature-not-implemented", STANZAS))
        await client.settle()
    async with managers({"listen": {"resume_location": "one.example.org:5222"}}) as they:
        _, enabled = await they.client("alice/sofa")
        assert enabled.get("location") == "one.example.org:5222"


async def test_guests_cannot_come_back(managers):
    async with managers({"hosts": {"localhost": {"authentication": "anonymous"}}}) as they:
        guest = await they.server.guest("localhost")
        guest.send(Element("enable", SM, resume="1"))
        assert await guest.receive() == Element("enabled", SM)


async def test_a_second_request_ends_the_stream(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa")
        alice.send(Element("enable", SM))
        assert await alice.receive() == UNEXPECTED
        with pytest.raises(StreamError, match="policy-violation"):
            await alice.receive()


async def test_a_request_that_is_none(managers):
    async with managers() as they:
        alice = await they.server.client("alice")
        alice.send(Element("enable", SM, max="soon"))
        assert await alice.receive() == Element("failed", SM, Element("bad-request", STANZAS))
        alice.send(Element("enable", SM))
        assert await alice.receive() == Element("enabled", SM)


@pytest.mark.parametrize("text", [R, a(0), f"<resume xmlns='{SM}' previd='x' h='0'/>"])
async def test_the_rest_without_it_is_refused(managers, text):
    async with managers() as they:
        alice = await they.server.client("alice")
        alice.send(text)
        assert await alice.receive() == UNEXPECTED
        await alice.settle()


async def test_resumption_comes_before_binding(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice")
        alice.send(Element("resume", SM, previd=enabled.get("id"), h=0))
        assert await alice.receive() == UNEXPECTED


# -- what the server says that it has


async def test_stanzas_count_from_the_request_on_and_nothing_else_does(managers):
    async with managers() as they:
        alice = await they.server.client("alice")
        error = "<message to='x@'/>"
        alice.send(f"{error}<enable xmlns='{SM}'/>{R}{error}<presence type='probe'/><iq/>{R} {a(0)}{R}")
        counts = []
        while len(counts) < 3:
            if (element := await alice.receive()).name == "a":
                counts.append(element.get("h"))
        assert counts == ["0", "3", "3"]


async def test_the_basic_scenario(managers):
    """XEP-0198 §9.1, but that presence isn't sent to oneself."""
    async with managers() as they:
        alice, _ = await they.client("alice", presence=False)
        alice.send(f"<iq id='ls72g593' type='get'><query xmlns='jabber:iq:roster'/></iq>{R}")
        assert (await alice.receive()).get("id") == "ls72g593"
        assert await alice.receive() == Element("a", SM, h=1)
        alice.send(a(1) + "<presence/>" + R)
        assert (await alice.receive()).name == "presence"
        assert await alice.receive() == Element("a", SM, h=2)
        alice.send(a(2) + f"<message to='juliet@localhost'><body>ciao!</body></message>{R}")
        assert (await alice.receive()).get("type") == "error"
        assert await alice.receive() == Element("a", SM, h=3)


async def test_nothing_is_acknowledged_before_a_handler_is_done(managers, module):
    async with managers(module(GATE)) as they:
        alice, _ = await they.client("alice", presence=False)
        bob = await they.server.client("bob")
        alice.send(f"<message to='{bob.jid}'/>{R}{WAIT}{R}<message to='{bob.jid}'/>{R}")
        assert await alice.receive() == Element("a", SM, h=1)
        await bob.settle()
        assert not alice.received
        gate_of(they.server).gate.set()
        assert (await alice.receive()).get("id") == "wait"
        assert [await alice.receive() for _ in range(2)] == [Element("a", SM, h=2), Element("a", SM, h=3)]


async def test_nothing_is_acknowledged_before_it_is_stored(managers, module):
    async with managers(module(GATE)) as they:
        alice, _ = await they.client("alice", presence=False)
        bob = await they.server.client("bob")
        alice.send(f"<message to='{bob.jid}'/>{R}<message to='{bob.jid}' id='held'/>{R}<message to='{bob.jid}'/>{R}")
        assert await alice.receive() == Element("a", SM, h=1)
        for _ in range(3):
            await bob.receive()
        await bob.settle()
        assert not alice.received
        gate_of(they.server).stored.set_result(None)
        assert await alice.receive() == Element("a", SM, h=3)  # the two that waited are one


async def test_a_message_for_somebody_away_is_on_disk_when_it_is_acknowledged(managers):
    async with managers() as they:
        await they.server.add_account("bob")
        alice, _ = await they.client("alice", presence=False)
        messages = they.server.server.store.messages
        alice.send(f"<message to='bob@localhost' type='chat'><body>hi</body></message>{R}")
        assert await alice.receive() == Element("a", SM, h=1)
        assert await messages.count_waiting("bob@localhost") == 1


async def test_a_flood_of_requests_grows_nothing(managers, module):
    async with managers(module(GATE)) as they:
        alice, _ = await they.client("alice", presence=False)
        bob = await they.server.client("bob")
        alice.send(f"<message to='{bob.jid}' id='held'/>" + R * 5000)
        await bob.receive()
        await bob.settle()
        gate_of(they.server).stored.set_result(None)
        assert await alice.receive() == Element("a", SM, h=1)
        alice.send(R)
        while (await alice.receive()).get("h") == "1" and alice.received:
            pass
        await alice.settle()


# -- what clients say that they have


async def test_the_server_asks_after_a_while_of_silence(managers, module):
    clock = FakeClock()
    async with managers(module(GATE), clock=clock) as they:
        alice, _ = await they.client("alice", presence=False)
        bob = await they.server.client("bob")
        await chat(bob, alice, 3)
        assert [(await alice.receive()).name for _ in range(3)] == ["message"] * 3
        assert not alice.received
        clock.advance(1)
        assert await alice.receive() == Element("r", SM)
        alice.send(a(3))
        await alice.settle()
        assert gate_of(they.server).heard == [alice.jid.text]
        assert list(they.session("alice/" + alice.jid.resource).management.queue) != []  # the answer to the ping
        clock.advance(1)
        assert await alice.receive() == Element("r", SM)
        alice.send(a(4))
        await they.until(lambda: not they.session("alice/" + alice.jid.resource).management.queue)
        waiting = clock.waiting
        clock.advance(1)
        assert clock.waiting < waiting  # nobody asks any more
        await bob.settle()
        assert not alice.received


async def test_the_server_asks_at_once_when_there_is_much(managers):
    async with managers(clock=FakeClock()) as they:
        alice, _ = await they.client("alice", presence=False)
        bob = await they.server.client("bob")
        await chat(bob, alice, 200)
        names = [(await alice.receive()).name for _ in range(201)]
        assert names == ["message"] * 64 + ["r"] + ["message"] * 136
        alice.send(a(200))
        await they.until(lambda: not they.session("alice/" + alice.jid.resource).management.queue)
        await chat(bob, alice, 64)
        assert [(await alice.receive()).name for _ in range(65)] == ["message"] * 64 + ["r"]


async def test_who_does_not_answer_is_taken_for_dead(managers):
    clock = FakeClock()
    async with managers({"limits": {"acknowledgement_seconds": 30}}, clock=clock) as they:
        alice, _ = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        alice.send(a(1))
        await they.until(lambda: not they.session("alice/sofa").management.queue)
        session = they.session("alice/sofa")
        bob.send(f"<message to='{alice.jid}'/>")
        await alice.receive()
        clock.advance(1)
        clock.advance(29)
        await bob.settle()
        assert not session.detached
        clock.advance(1)
        await they.until(lambda: session.detached)
        assert session.presence is not None
        bob.send(f"<message to='{alice.jid}' type='chat'><body>still</body></message>")
        await bob.settle()
        assert len(session.management.queue) == 2


async def test_who_answers_lives(managers):
    clock = FakeClock()
    async with managers({"limits": {"acknowledgement_seconds": 30}}, clock=clock) as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob")
        for number in range(1, 5):
            await chat(bob, alice)
            await alice.receive()
            clock.advance(1)
            assert await alice.receive() == Element("r", SM)
            clock.advance(20)
            alice.send(a(number))
            await they.until(lambda: not they.session("alice/sofa").management.queue)
        assert not they.session("alice/sofa").detached


async def test_more_than_was_sent_is_acknowledged(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob")
        await chat(bob, alice, 8)
        alice.send(a(10))
        for _ in range(8):
            await alice.receive()
        error = await alice.receive_any()
        too_high = error.child("handled-count-too-high", SM)
        assert error.child("undefined-condition", "urn:ietf:params:xml:ns:xmpp-streams") is not None
        assert too_high.attrs == {"h": "10", "send-count": "8"}
        with pytest.raises(ConnectionResetError):
            await alice.receive_any()
        assert they.session("alice/sofa") is None


@pytest.mark.parametrize("h", ["", "-1", "x", "4294967296"])
async def test_a_count_that_is_none(managers, h):
    async with managers() as they:
        alice, _ = await they.client("alice", presence=False)
        alice.send(a(h))
        with pytest.raises(StreamError, match="invalid-xml"):
            await alice.receive()


async def test_counts_wrap_around(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob")
        management = they.session("alice/sofa").management
        management.acknowledged = management.handled = 2**32 - 2
        await chat(bob, alice, 4)
        alice.send(a(2**32 - 1) + "<presence type='unavailable'/>" * 3 + R + a(1))
        while (answer := await alice.receive()).name != "a":
            pass
        assert answer == Element("a", SM, h=1)
        await they.until(lambda: len(management.queue) == 1)


async def test_who_reads_and_never_acknowledges_is_cut_off(managers):
    """What is kept for it is bounded; nothing of it is lost."""
    settings = {"limits": {"send_buffer_bytes": 100_000, "bytes_per_second": 10**9, "burst_bytes": 10**9}}
    async with managers(settings) as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob")
        for number in range(12):
            bob.send(f"<message to='{alice.jid}' type='chat' id='{number}'><body>{'x' * 10_000}</body></message>")
        with pytest.raises(StreamError, match="policy-violation"):
            while True:
                await alice.receive()
        await bob.settle()
        again = await they.server.client("alice", presence=False)
        again.send("<presence/>")
        kept = [(await again.receive()) for _ in range(13)]
        assert [e.get("id") for e in kept if e.name == "message"] == [str(number) for number in range(12)]


async def test_whoever_wants_to_know_is_told_when_all_is_there(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob/desk")
        told = []
        session = they.session("alice/sofa")
        assert session.when_acknowledged(lambda: told.append(0))  # nothing was written
        assert told == [0]
        await chat(bob, alice, 2)
        assert session.when_acknowledged(lambda: told.append(2))
        await chat(bob, alice, 1)
        assert session.when_acknowledged(lambda: told.append(3))
        assert [(await alice.receive()).name for _ in range(4)] == ["message", "message", "r", "message"]
        alice.send(a(1))
        assert await alice.receive() == Element("r", SM)  # somebody waits for the rest
        alice.send(a(1) * 3)
        await alice.settle()
        assert not alice.received  # there is no use in asking again at once
        assert told == [0]
        alice.send(a(2))
        assert await alice.receive() == Element("r", SM)
        assert told == [0, 2]
        alice.send(a(3))
        await they.until(lambda: told == [0, 2, 3])
        assert not they.session("bob/desk").when_acknowledged(lambda: told.append(None))
        assert told == [0, 2, 3]


async def test_sessions_without_it_write_to_their_connection(managers):
    async with managers() as they:
        await they.server.client("bob/desk")
        session = they.session("bob/desk")
        assert session.management is None
        assert session.write == session.wire.write


async def test_other_streams_go_on_meanwhile(managers, module):
    async with managers(module(GATE)) as they:
        alice, _ = await they.client("alice", presence=False)
        alice.send(WAIT + R)
        waiting = asyncio.create_task(alice.receive())
        bob = await they.server.client("bob")
        await chat(bob, bob, 3)
        assert not waiting.done()
        gate_of(they.server).gate.set()
        assert (await waiting).get("id") == "wait"


async def test_who_says_what_it_has_when_the_server_stops_gets_it_once(managers):
    async with managers(name="one") as they:
        alice, _ = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        bob.send(f"<message to='{alice.jid}' type='chat' id='1'><body>once</body></message>")
        assert (await alice.receive()).get("id") == "1"
        stopping = asyncio.create_task(they.server.server.stop())
        assert await alice.receive() == Element("r", SM)
        alice.send(a(2))
        assert await alice.receive() == Element("a", SM, h=1)
        with pytest.raises(StreamError, match="system-shutdown"):
            await alice.receive()
        alice.drop()
        bob.drop()
        await stopping
    async with managers(name="one") as they:
        assert not await they.server.server.store.messages.count_waiting("alice@localhost")


async def test_what_came_before_the_server_stops_is_acknowledged(managers, module):
    """Else the client would send it again to the next server, which can't know it."""
    async with managers(module(GATE)) as they:
        alice, _ = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob/desk")
        alice.send(f"<message to='{bob.jid}' id='held'/>" + WAIT)
        session = they.session("alice/sofa")
        await they.until(lambda: session.management.handled == 2)
        gate = gate_of(they.server)
        stopping = asyncio.create_task(they.server.server.stop())
        await they.until(lambda: "stopping" in session.wire._paused)
        assert not alice.received
        gate.stored.set_result(None)
        gate.gate.set()
        assert (await alice.receive()).get("id") == "wait"
        assert await alice.receive() == Element("a", SM, h=2)
        with pytest.raises(StreamError, match="system-shutdown"):
            await alice.receive()
        await asyncio.gather(stopping, alice.end(), bob.end())


async def test_a_module_that_fails_stops_no_questions(managers, module):
    async with managers(module(GATE), clock=(clock := FakeClock())) as they:
        mallory, _ = await they.client("mallory", presence=False)
        bob = await they.server.client("bob")
        for number in (1, 2):
            await chat(bob, mallory)
            assert (await mallory.receive()).name == "message"
            clock.advance(1)
            assert await mallory.receive() == Element("r", SM)
            mallory.send(a(number))
            await they.until(lambda: not they.session(f"mallory/{mallory.jid.resource}").management.queue)
        assert gate_of(they.server).heard == [mallory.jid.text] * 2
