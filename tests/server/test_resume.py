"""Sessions that outlive their connection (XEP-0198 §5): cut anywhere, resumed by whoever may, and over at some time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from unittest.mock import Mock

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.features import ClientFeature, ClientSide
from chirrup.core.stream import CLIENT_FEATURES, ClientPolicy, Credentials
from chirrup.core.xml import Element
from chirrup.server.resume import attach, detach
from chirrup.testing import PASSWORD, FakeClock
from chirrup.testing.client import Refused

SM = "urn:xmpp:sm:3"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
R = f"<r xmlns='{SM}'/>"
GONE = Element("failed", SM, Element("item-not-found", STANZAS))


def gone(h):
    """As `GONE`, of which it is known how much of what its client sent was dealt with."""
    return Element("failed", SM, Element("item-not-found", STANZAS), h=h)


GATE = """
import asyncio
from chirrup.server.module import Module, iq_get
from chirrup.server import hooks

class Gate(Module):
    "Keeps those who ask until it is opened, and writes down what it hears of sessions."

    async def start(self):
        self.gate = asyncio.Event()
        self.heard = []

    @iq_get(("wait", "urn:test"))
    async def wait(self, request):
        await self.gate.wait()

    @hooks.session_detached()
    def detached(self, session):
        self.heard.append("detached")

    @hooks.session_resumed()
    def resumed(self, session):
        self.heard.append("resumed")

    @hooks.session_closed()
    def closed(self, session):
        self.heard.append(f"closed {session.jid.resource}")
"""
WAIT = "<iq type='get' id='wait' to='localhost'><wait xmlns='urn:test'/></iq>"


def gate_of(server):
    return next(m for m in server.server.hosts["localhost"].modules.values() if m.name() == "under_test")


def a(h):
    return f"<a xmlns='{SM}' h='{h}'/>"


def message(to, text, kind="chat"):
    return f"<message to='{to}' type='{kind}' id='{text}'><body>{text}</body></message>"


async def texts(client, count):
    """The bodies of so many stanzas, or their names."""
    received = [await client.receive() for _ in range(count)]
    return [element.child_text("body") or element.name for element in received]


class Unbound(ClientFeature):
    """Doesn't bind a resource."""

    def begin(self, stream: ClientSide, features: Element) -> None:
        stream.jid = stream.domain


async def test_a_session_goes_on_where_it_was(managers, module):
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk", presence=True)
        bob.send(message(alice.jid, "1") + message(alice.jid, "2"))
        assert await texts(alice, 2) == ["1", "2"]
        alice.send(message(bob.jid, "from alice"))
        assert await texts(bob, 1) == ["from alice"]
        session = await they.cut(alice)
        bob.send(message(alice.jid, "3") + message("alice@localhost", "4"))
        await bob.settle()
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 2)
        assert resumed == Element("resumed", SM, previd=enabled.get("id"), h=2)
        assert await texts(again, 4) == ["2", "3", "4", "r"]
        assert they.session("alice/sofa") is session
        assert not session.detached
        assert session.presence is not None
        again.send(a(5) + message(bob.jid, "5") + R)
        assert await again.receive() == Element("a", SM, h=3)
        assert await texts(bob, 1) == ["5"]
        assert not bob.received  # nobody was told that alice had been away
        await they.until(lambda: not session.management.queue)
        assert gate_of(they.server).heard == ["detached", "resumed"]


async def test_a_session_goes_on_twice(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob")
        for number in range(3):
            await they.cut(alice)
            bob.send(message("alice@localhost", str(number)))
            await bob.settle()
            alice, resumed = await they.back("alice/sofa", enabled.get("id"), 1 + number)
            assert resumed.name == "resumed"
            assert await texts(alice, 2) == [str(number), "r"]


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<message to='bob@localhost/desk' ty",
        "<message to='bob@localhost/desk' type='chat'>",
        "<message to='bob@localhost/desk' type='chat'><body>never wh",
        "<message to='bob@localhost/desk' type='chat'><body>never whole</body></message",
        "<r xmlns='urn:xmpp:sm:",
        "\N{SNOWMAN}".encode()[:2],
    ],
)
async def test_a_cut_in_the_middle_of_a_stanza(managers, piece):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        alice.send(message(bob.jid, "whole"))
        alice.send(piece)
        assert await texts(bob, 1) == ["whole"]
        await they.cut(alice)
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert resumed.get("h") == "2"
        again.send(message(bob.jid, "again"))
        assert await texts(bob, 1) == ["again"]


async def test_a_cut_in_the_middle_of_coming_back(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        session = await they.cut(alice)
        client = await they.server.raw()
        policy = ClientPolicy(Credentials("alice", PASSWORD), tls_required=False, sasl2=False)
        await client.log_in(policy, "localhost", [*CLIENT_FEATURES[:4], Unbound])
        client.send(f"<resume xmlns='{SM}' previd='{enabled.get('id')}' h='")
        client.drop()
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert resumed.name == "resumed"
        assert they.session("alice/sofa") is session
        await again.settle()


async def test_a_cut_right_behind_the_request(managers):
    """The session waits on, whether or not it had been given to the connection."""
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        session = await they.cut(alice)
        for _ in range(5):
            again, _ = await they.back("alice/sofa", enabled.get("id"), 1)
            again.drop()
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert resumed.name == "resumed"
        assert they.session("alice/sofa") is session
        await again.settle()


async def test_a_stream_that_the_server_takes_for_alive(managers, module):
    """XEP-0198 §5: the old stream is closed with a conflict."""
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob")
        bob.send(message(alice.jid, "1"))
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert resumed.name == "resumed"
        assert await texts(again, 2) == ["1", "r"]
        with pytest.raises(StreamError, match="conflict"):
            while True:
                await alice.receive()
        alice.send(message(bob.jid, "too late"))
        await again.settle()
        await bob.settle()
        assert not bob.received
        assert gate_of(they.server).heard == ["detached", "resumed"]


async def test_two_at_once(managers, module):
    """The later one wins, the first gets a conflict."""
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        alice.send(WAIT)
        session = they.session("alice/sofa")
        await they.until(lambda: session.management.handled == 2)
        await they.cut(alice)
        first = asyncio.create_task(they.back("alice/sofa", enabled.get("id"), 1))
        await they.until(lambda: len(they.server.server.hosts["localhost"].resumable._claims) == 1)
        claim = they.server.server.hosts["localhost"].resumable._claims[enabled.get("id")]
        second = asyncio.create_task(they.back("alice/sofa", enabled.get("id"), 1))
        with pytest.raises(StreamError, match="conflict"):
            await first
        assert they.server.server.hosts["localhost"].resumable._claims[enabled.get("id")] != claim
        assert not second.done()
        gate_of(they.server).gate.set()
        again, resumed = await second
        assert resumed.get("h") == "2"
        assert (await again.receive()).get("id") == "wait"
        assert they.session("alice/sofa") is session


async def test_what_was_not_processed_yet_counts_when_it_is(managers, module):
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        alice.send(WAIT + R + message(bob.jid, "behind") + R)
        session = they.session("alice/sofa")
        await they.until(lambda: session._queue)
        await they.cut(alice)
        back = asyncio.create_task(they.back("alice/sofa", enabled.get("id"), 1))
        await they.until(lambda: they.server.server.hosts["localhost"].resumable._claims)
        assert not back.done()
        gate_of(they.server).gate.set()
        again, resumed = await back
        assert resumed.get("h") == "3"
        assert (await again.receive()).get("id") == "wait"
        assert await texts(bob, 1) == ["behind"]
        assert await texts(again, 1) == ["r"]
        again.send(R)
        assert await again.receive() == Element("a", SM, h=3)  # what was asked before is answered by the above


async def test_a_session_that_ends_while_somebody_waits_for_it(managers, module):
    clock = FakeClock()
    async with managers(module(GATE), clock=clock) as they:
        alice, enabled = await they.client("alice/sofa")
        alice.send(WAIT)
        await they.until(lambda: they.session("alice/sofa").management.handled == 2)
        await they.cut(alice)
        back = asyncio.create_task(they.back("alice/sofa", enabled.get("id"), 1))
        await they.until(lambda: they.server.server.hosts["localhost"].resumable._claims)
        they.session("alice/sofa").expire()
        again, failed = await back
        assert failed == gone(1)
        await again.settle()
        gate_of(they.server).gate.set()


async def test_what_is_never_settled_costs_the_session_and_not_the_client(managers, module):
    """As while nothing can be stored: it gets a new one, and what it was sent."""
    clock = FakeClock()
    async with managers(module(GATE), clock=clock) as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        alice.send(WAIT)
        await they.until(lambda: they.session("alice/sofa").management.handled == 2)
        await they.cut(alice)
        bob.send(message(alice.jid, "1"))
        await bob.settle()
        back = asyncio.create_task(they.back("alice/sofa", enabled.get("id"), 1))
        await they.until(lambda: they.server.server.hosts["localhost"].resumable._claims)
        clock.advance(9.9)
        await bob.settle()
        assert not back.done()
        clock.advance(0.1)
        again, failed = await back
        assert failed == gone(1)
        again.send("<presence/>")
        assert await texts(again, 2) == ["presence", "1"]
        gate_of(they.server).gate.set()


@pytest.mark.parametrize("asked", [True, False])
async def test_what_waits_when_a_session_ends_is_processed_or_sent_again(managers, module, asked):
    """A client that is told how much was handled sends the rest again. Nobody gets it twice, and else it isn't lost."""
    clock = FakeClock()
    async with managers(module(GATE), clock=clock) as they:
        alice, enabled = await they.client("alice/sofa")
        table = await they.server.client("alice/table")
        await they.copies(table)
        bob = await they.server.client("bob/desk")
        alice.send(WAIT + message(bob.jid, "behind"))
        session = they.session("alice/sofa")
        await they.until(lambda: session._queue)
        (await they.cut(alice)).expire()
        if asked:
            again, failed = await they.back("alice/sofa", enabled.get("id"), 1)
            assert failed == gone(1)
        gate_of(they.server).gate.set()
        await they.until(lambda: session._queue is None)
        if asked:
            again.send(WAIT + message(bob.jid, "behind"))
            await again.settle()
        await bob.settle()
        assert [element.get("id") for element in bob.received] == ["behind"]
        await table.settle()
        assert len([element for element in table.received if element.name == "message"]) == 1
        if not asked:
            _, failed = await they.back("alice/sofa", enabled.get("id"), 1)
            assert failed == gone(3)


async def test_counts_that_wrap_around_while_nobody_is_there(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa", presence=False)
        bob = await they.server.client("bob/desk")
        management = they.session("alice/sofa").management
        management.acknowledged = management.handled = 2**32 - 2
        alice.send(message(bob.jid, "a") + message(bob.jid, "b") + message(bob.jid, "c"))
        assert await texts(bob, 3) == ["a", "b", "c"]
        await they.cut(alice)
        for number in range(4):
            bob.send(message(alice.jid, str(number)))
        await bob.settle()
        alice, resumed = await they.back("alice/sofa", enabled.get("id"), 2**32 - 1)
        assert resumed.get("h") == "1"
        assert await texts(alice, 4) == ["1", "2", "3", "r"]
        alice.send(a(2))
        await they.until(lambda: not management.queue)
        await they.cut(alice)
        with pytest.raises(StreamError, match="undefined-condition") as caught:
            await they.back("alice/sofa", enabled.get("id"), 3)
        assert caught.value.app_attributes == {"h": "3", "send-count": "2"}
        _, failed = await they.back("alice/sofa", enabled.get("id"), 2**32 - 1)  # less than was acknowledged
        assert (failed.name, failed.get("h")) == ("failed", "1")


class Waiting:
    """A connection that is to go on with a session."""

    def __init__(self) -> None:
        self.error = None

    def fail(self, error):
        self.error = error.condition


async def test_a_session_that_is_given_and_not_taken_yet(managers):
    """While its new connection is told, another may come, or the session may end: two never have it, nor one that is
    over."""
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        session = await they.cut(alice)
        resumable = they.server.server.hosts["localhost"].resumable
        first, second = Waiting(), Waiting()
        for wire in (first, second):
            assert await resumable.claim(session.account.jid, enabled.get("id"), 1, wire) is session
        assert (first.error, second.error) == ("conflict", None)
        session.end()
        assert second.error == "reset"


# -- who may not


async def test_somebody_elses_session(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        await they.server.add_account("mallory")
        mallory, failed = await they.back("mallory/x", enabled.get("id"), 1)
        assert failed == GONE
        assert mallory.jid.local == "mallory"
        session = await they.cut(alice)
        _, failed = await they.back("mallory/x", enabled.get("id"), 1)
        assert failed == GONE
        session.end()
        _, failed = await they.back("mallory/x", enabled.get("id"), 1)
        assert failed == GONE
        _, failed = await they.back("alice/x", enabled.get("id"), 1)
        assert failed.get("h") == "1"


async def test_a_session_from_before_the_password_was_changed(managers):
    """It is there still, for who knows the new one."""
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        await they.cut(alice)
        server = they.server.server
        await server.store.accounts.set_keys("localhost", "alice", await server.credentials.make("another"))
        with pytest.raises(Refused, match="not-authorized"):
            await they.back("alice/sofa", enabled.get("id"), 1)
        _, resumed = await they.back("alice/sofa", enabled.get("id"), 1, password="another")
        assert resumed.name == "resumed"


@pytest.mark.parametrize("previd", ["", "made-up", "x" * 4000, "&lt;&amp;'"])
async def test_a_session_that_never_was(managers, previd):
    async with managers() as they:
        await they.server.add_account("alice")
        alice, failed = await they.back("alice/sofa", previd, 0)
        assert failed == GONE
        await alice.settle()


async def test_a_session_that_cannot_be_resumed(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa", resume="false")
        alice.drop()
        await they.until(lambda: they.session("alice/sofa") is None)
        _, failed = await they.back("alice/sofa", "", 0)
        assert failed == GONE


async def test_more_than_was_sent(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        session = await they.cut(alice)
        with pytest.raises(StreamError, match="undefined-condition") as caught:
            await they.back("alice/sofa", enabled.get("id"), 5)
        assert caught.value.app_attributes == {"h": "5", "send-count": "1"}
        assert they.session("alice/sofa") is session
        _, resumed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert resumed.name == "resumed"


async def test_less_than_was_acknowledged(managers):
    """What the client lacks is gone: it is better off with a new session than with a hole in this one. That is over
    then, and what it was sent is somebody else's."""
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob/desk")
        alice.send(a(1))
        await they.until(lambda: they.session("alice/sofa").management.acknowledged == 1)
        other, failed = await they.back("alice/other", enabled.get("id"), 0)
        assert failed == GONE
        assert not they.session("alice/sofa").detached  # the client may have two windows, of which one remembers less
        await other.close()
        await they.cut(alice)
        bob.send(message(alice.jid, "1"))
        await bob.settle()
        again, failed = await they.back("alice/other", enabled.get("id"), 0)
        assert failed == Element("failed", SM, Element("item-not-found", STANZAS), h=1)
        assert they.session("alice/sofa") is None
        again.send("<presence/>")
        assert await texts(again, 2) == ["presence", "1"]


async def test_a_session_that_took_leave(managers, module):
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        await alice.close()
        await they.until(lambda: they.session("alice/sofa") is None)
        again, failed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert failed.get("h") == "1"
        again.drop()
        assert "detached" not in gate_of(they.server).heard


async def test_a_session_that_takes_leave_and_is_cut_before_its_answers(managers, module):
    async with managers(module(GATE)) as they:
        alice, enabled = await they.client("alice/sofa")
        alice.send(WAIT + "</stream:stream>")
        await they.until(lambda: they.session("alice/sofa").closing)
        _, failed = await they.back("alice/x", enabled.get("id"), 1)
        assert failed == GONE
        alice.drop()
        await they.until(lambda: they.session("alice/sofa") is None)
        gate_of(they.server).gate.set()


async def test_a_stream_that_ended_with_an_error(managers):
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        alice.send("<message from='mallory@localhost'/>")
        with pytest.raises(StreamError, match="invalid-from"):
            await alice.receive()
        _, failed = await they.back("alice/sofa", enabled.get("id"), 1)
        assert failed.name == "failed"


# -- for how long


async def test_the_time_is_over(managers, module):
    clock = FakeClock()
    async with managers(module(GATE), clock=clock) as they:
        alice, enabled = await they.client("alice/sofa", max=100)
        session = await they.cut(alice)
        clock.advance(99)
        assert they.session("alice/sofa") is session
        alice, _ = await they.back("alice/sofa", enabled.get("id"), 1)
        clock.advance(2)
        await alice.settle()
        await they.cut(alice)
        clock.advance(100)
        assert they.session("alice/sofa") is None
        assert gate_of(they.server).heard[-1] == "closed sofa"
        _, failed = await they.back("alice/sofa", enabled.get("id"), 2)
        assert failed == Element("failed", SM, Element("item-not-found", STANZAS), h=2)


@pytest.mark.parametrize(
    "limits", [{"unacknowledged_stanzas": 10}, {"unacknowledged_bytes": 5_000}, {"unacknowledged_stanzas": 0}]
)
async def test_too_much_waits(managers, limits):
    async with managers({"limits": limits}) as they:
        alice, _ = await they.client("alice/sofa")
        bob = await they.server.client("bob")
        alice.drop()
        for number in range(30):
            bob.send(message("alice@localhost", f"{number}-{'x' * 500}"))
        await bob.settle()
        await they.until(lambda: they.session("alice/sofa") is None)
        again = await they.server.client("alice/sofa")
        again.send("<presence/>")
        received = [await again.receive() for _ in range(31)]
        bodies = [element.child_text("body") for element in received if element.name == "message"]
        assert [body.partition("-")[0] for body in bodies] == [str(number) for number in range(30)]


@pytest.mark.parametrize("conflict", ["replace", "refuse", "rename"])
async def test_its_resource_is_taken(managers, conflict):
    """By the same client, most likely, which couldn't come back."""
    async with managers({"limits": {"resource_conflict": conflict}}) as they:
        alice, enabled = await they.client("alice/sofa")
        bob = await they.server.client("bob")
        session = await they.cut(alice)
        bob.send(message(alice.jid, "1"))
        await bob.settle()
        again = await they.server.client("alice/sofa")
        assert again.jid.resource == "sofa"
        assert they.session("alice/sofa") is not session
        again.send("<presence/>")
        assert await texts(again, 2) == ["presence", "1"]
        _, failed = await they.back("alice/x", enabled.get("id"), 1)
        assert failed.name == "failed"


async def test_many_whose_time_is_over_together_end_in_turns(managers, module):
    """Others have theirs between them."""
    clock = FakeClock()
    names = [f"alice{number}/x" for number in range(5)]
    async with managers(module(GATE), clock=clock) as they:
        clients = [await they.client(name, max=100) for name in names]
        for client, _ in clients:
            await they.cut(client)
        heard = gate_of(they.server).heard
        clock.advance(100)
        assert heard.count("closed x") == 1
        await asyncio.sleep(0)
        assert heard.count("closed x") == 2
        they.session(names[3]).end()
        await they.until(lambda: not any(map(they.session, names)))
        assert heard.count("closed x") == 5
        _, failed = await they.back(names[4], clients[4][1].get("id"), 0)
        assert failed.name == "failed"


async def test_who_comes_back_before_its_turn_to_end_keeps_its_session(managers):
    clock = FakeClock()
    async with managers(clock=clock) as they:
        for name in ("bob/x", "alice/x"):
            client, _ = await they.client(name, max=100)
            session = await they.cut(client)
        clock.advance(100)
        assert they.session("bob/x") is None
        attach(session, Mock(), 1, session.log, secure=True)
        detach(session)
        for _ in range(5):
            await asyncio.sleep(0)
        assert they.session("alice/x") is session, "it has another 100 seconds"
        clock.advance(100)
        assert they.session("alice/x") is None


async def test_those_who_are_away_make_room(managers):
    clock = FakeClock()
    async with managers({"limits": {"resources_per_account": 3}}, clock=clock) as they:
        clients = [(await they.client(f"alice/{name}"))[0] for name in "abc"]
        for client in (clients[1], clients[0]):
            await they.cut(client)
            clock.advance(1)
        await they.server.client("alice/d")
        assert set(they.server.server.hosts["localhost"].accounts["alice"].sessions) == {"a", "c", "d"}


async def test_an_account_that_is_removed_leaves_nothing(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa")
        bob = await they.server.client("bob")
        await they.cut(alice)
        bob.send(message(alice.jid, "secret"))
        await bob.settle()
        await they.server.server.hosts["localhost"].remove_account("alice")
        assert (await bob.receive()).get("type") == "error"
        await they.until(lambda: not they.server.server._tasks)
        await they.server.add_account("alice", "another")
        again = await they.server.client("alice", "another")
        again.send("<presence/>")
        await again.settle()
        assert [element.name for element in again.received] == ["presence"]


# -- what it costs


async def test_a_session_whose_client_is_away_keeps_no_connection(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa")
        connection = weakref.ref(they.session("alice/sofa").wire.transport)
        await they.cut(alice)
        await they.until(lambda: gc.collect() or connection() is None)


async def test_tls_and_all(managers):
    async with managers() as they:
        await they.server.add_account("alice")
        alice = await they.server.client("alice/sofa", tls=True)
        alice.send(Element("enable", SM, resume="1"))
        enabled = await alice.receive()
        await they.cut(alice)
        again, resumed = await they.back("alice/sofa", enabled.get("id"), 0)
        assert resumed.name == "resumed"
        await again.settle()


async def test_the_log_says_it(managers, caplog):
    caplog.set_level("INFO")
    async with managers() as they:
        alice, enabled = await they.client("alice/sofa")
        await they.cut(alice)
        await they.back("alice/sofa", enabled.get("id"), 1)
    logged = [record.getMessage() for record in caplog.records]
    assert any("session detached" in line for line in logged)
    assert any("session resumed" in line for line in logged)


async def test_the_status_tells_who_is_away(managers):
    async with managers() as they:
        alice, _ = await they.client("alice/sofa")
        await they.client("bob/desk")
        await they.cut(alice)
        hosts = they.server.server.status()["hosts"]
        assert hosts["localhost"]["detached"] == 1
        assert hosts["localhost"]["sessions"] == 3  # and one bystander
