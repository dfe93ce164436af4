"""A client of Chirrup's own server: log-in, messages, requests, handlers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.plugins.liar import Liar, Peer

import chirrup
from chirrup import JID, AuthenticationError, Client, ConnectionState, Element, Message, Presence, StanzaError
from chirrup.client.feature import Feature, Request, filter_message, iq_get, message_out, on_message, presence_out
from chirrup.core.errors import LocalProtocolError, PayloadError
from chirrup.core.payload import Payload, payload, text
from chirrup.ext.ping.client import Pings
from chirrup.ext.ping.payloads import Ping
from chirrup.ext.time.payloads import Time
from chirrup.ext.version.payloads import Version
from chirrup.testing import serve

TIMEOUT = 10


@payload("note", "urn:test:note")
class Note(Payload):
    """Something of no importance."""

    text: str = text()


async def first(feed: Any) -> Any:
    async with asyncio.timeout(TIMEOUT):
        return await anext(feed)


# -- logging in


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_it_logs_in(direct_tls: bool) -> None:
    async with serve() as server:
        options = {"direct_tls": direct_tls, "port": server.port("c2s_direct_tls" if direct_tls else "c2s")}
        async with await server.sdk("alice/garden", **options) as alice:
            assert alice.state is ConnectionState.ONLINE
            assert alice.jid == JID("alice@localhost/garden")
            assert alice.account == JID("alice@localhost")
        assert alice.state is ConnectionState.OFFLINE
        assert alice.change.reason is None


async def test_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        ca = tmp_path / "certificates" / "localhost.crt"
        async with await server.sdk("alice", verify=True, ca=ca) as alice:
            assert alice.state is ConnectionState.ONLINE


async def test_a_guest() -> None:
    async with (
        serve({"hosts": {"guests.localhost": {"authentication": "anonymous"}}}) as server,
        Client("guests.localhost", host="127.0.0.1", port=server.port(), verify=False) as guest,
    ):
        assert guest.account.domain == "guests.localhost"
        assert guest.account.local


async def test_a_wrong_password() -> None:
    async with serve() as server:
        await server.add_account("alice")
        alice = await server.sdk("alice", "wrong")
        with pytest.raises(
            AuthenticationError, match="alice@localhost: not-authorized: the address or the password is wrong"
        ):
            await alice.connect(retry=True)
        assert alice.state is ConnectionState.OFFLINE


async def test_it_connects_again_after_it_was_closed() -> None:
    async with serve() as server:
        alice = await server.sdk("alice")
        for _ in range(2):
            async with alice:
                await alice.settle()
        with pytest.raises(chirrup.NetworkError, match="not connected"):
            await alice.send(Message("bob@localhost", "Hello?"))


async def test_it_connects_once() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        with pytest.raises(LocalProtocolError, match="online already"):
            await alice.connect()


async def test_closing_while_it_connects() -> None:
    async with serve() as server:
        alice = await server.sdk("alice")
        connecting = asyncio.create_task(alice.connect())
        await asyncio.sleep(0)
        await alice.close()
        with pytest.raises(chirrup.NetworkError, match="closed while"):
            await connecting
        async with alice:
            assert alice.state is ConnectionState.ONLINE


@pytest.mark.parametrize("turns", [1, 3, 10, 30])
async def test_cancelling_while_it_connects(turns: int) -> None:
    async with serve() as server:
        alice = await server.sdk("alice")
        connecting = asyncio.create_task(alice.connect())
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        async with alice:
            await alice.settle()


async def test_its_states() -> None:
    async with serve() as server:
        alice = await server.sdk("alice")
        states = alice.states()
        async with alice:
            pass
        seen = [change.state.value async for change in states]
        assert seen == ["offline", "resolving", "connecting", "negotiating", "starting", "online", "offline"]


# -- messages


async def test_messages() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        heard = bob.messages()
        answers = alice.messages()
        await alice.send(Message("bob@localhost", "Hello <&> 'you'", Note("x"), subject="S", thread="t", lang="de"))
        message = await first(heard)
        assert (message.body, message.subject, message.thread, message.lang) == ("Hello <&> 'you'", "S", "t", "de")
        assert (message.type, message.sender, message.to) == ("chat", alice.jid, JID("bob@localhost"))
        assert message.get(Note) == Note("x")
        assert message.id
        assert not message.outgoing
        sent = await message.reply("Hello back", Note("y"))
        answer = await first(answers)
        assert (answer.body, answer.thread, answer.id, answer.to) == ("Hello back", "t", sent.id, alice.jid)
        assert message.element.child("note", "urn:test:note") is not None


async def test_an_error_comes_back() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        errors = alice.messages(lambda message: message.type == "error")
        message = Message("nobody@localhost", "Hello?")
        await alice.send(message)
        returned = await first(errors)
        assert returned.id == message.id
        assert returned.error is not None and returned.error.condition == "service-unavailable"
        with pytest.raises(LocalProtocolError, match="an error isn't answered"):
            await returned.reply("Oh")


async def test_handlers_that_wait_hold_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[str] = []
    done: asyncio.Queue[str] = asyncio.Queue()
    gate = asyncio.Event()
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:

        @bob.on_message
        async def hear(message: Message) -> None:
            begun.append(message.body)
            async with asyncio.timeout(TIMEOUT):  # which needs a task
                if message.body == "1":
                    await gate.wait()
                if message.body == "2":
                    raise ZeroDivisionError
                if message.body == "3":
                    await bob.request(Version(), to="localhost")
            done.put_nowait(message.body)

        @bob.on_message
        def fail(message: Message) -> None:
            raise ZeroDivisionError

        for number in range(5):
            await alice.send(Message("bob@localhost", str(number)))
        async with asyncio.timeout(TIMEOUT):
            ended = [await done.get() for _ in range(3)]
            gate.set()
            ended.append(await done.get())
        assert begun == ["0", "1", "2", "3", "4"]
        assert ended == ["0", "4", "3", "1"]
        assert sum(record.exc_info is not None for record in caplog.records) == 6
        bob.remove(hear)
        bob.remove(fail)
        heard = bob.messages()
        await alice.send(Message("bob@localhost", "5"))
        assert (await first(heard)).body == "5"
        assert len(begun) == 5


async def test_features_see_what_comes_and_goes() -> None:
    class Notes(Feature):
        features = ("urn:test:note",)

        def __init__(self, entity: Any) -> None:
            super().__init__(entity)
            self.seen: list[str] = []

        @on_message(Note)
        async def note(self, message: Message, note: Note) -> None:
            self.seen.append(f"{message.sender.local}: {note.text}")

        @filter_message(("secret", "urn:test:secret"))
        def unpack(self, message: Message, secret: Element) -> Message | None:
            inner = secret.first
            return None if inner is None else Message.received(inner, message.sender, message.entity)

        @message_out
        def sign(self, message: Message) -> None:
            message.add(Note("signed"))

        @presence_out
        def show(self, presence: Presence) -> None:
            presence.add(Note("here"))

        @iq_get(Note)
        async def tell(self, request: Request[Note]) -> Note:
            return Note(f"{request.payload.text}, {request.sender.local}")

    async with serve() as server, await server.sdk("alice", features=[Notes]) as alice, await server.sdk("bob") as bob:
        notes = bob.need(Notes)
        heard = bob.messages()
        presences = bob.presences(lambda presence: presence.has(Note))
        await alice.send(Message(bob.jid, "1"))
        assert (await first(heard)).get(Note) == Note("signed")
        assert notes.seen == ["alice: signed"]
        await alice.send(Presence(bob.jid))
        assert (await first(presences)).get(Note) == Note("here")
        inner = Element("message", "jabber:client", Element("body", "", "inside"))
        await alice.send(Message(bob.jid, "outside", Element("secret", "urn:test:secret", inner)))
        await alice.send(Message(bob.jid, "outside", Element("secret", "urn:test:secret")))
        await alice.send(Message(bob.jid, None, Element("note", "urn:other")))
        await alice.send(Message(bob.jid, "2"))
        assert [(await first(heard)).body for _ in range(2)] == ["inside", "2"]
        await bob.send(Presence(alice.jid))
        await bob.settle()
        assert await alice.request(Note("Hello"), to=bob.jid) == Note("Hello, alice")


async def test_a_handler_closes_the_client() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        bob = await server.sdk("bob")
        ended = asyncio.Event()

        @bob.on_message
        async def leave(message: Message) -> None:
            await message.reply("bye")
            await bob.close()
            ended.set()

        await bob.connect()
        heard = alice.messages()
        await alice.send(Message("bob@localhost", "leave"))
        assert (await first(heard)).body == "bye"
        async with asyncio.timeout(TIMEOUT):
            await ended.wait()
            await bob.wait_closed()


@pytest.mark.parametrize("direct_tls", [False, True])
def test_another_event_loop(direct_tls: bool) -> None:
    async def meet() -> str:
        async with serve() as server:
            options = {"direct_tls": direct_tls, "port": server.port("c2s_direct_tls" if direct_tls else "c2s")}
            async with await server.sdk("alice", **options) as alice, await server.sdk("bob", **options) as bob:
                heard = bob.messages()
                await alice.send(Message("bob@localhost", "Hello"))
                message: Message = await first(heard)
                return message.body

    assert uvloop.run(meet()) == "Hello"


# -- requests


async def test_requests() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        assert (await alice.request(Version(), to="localhost")).name == "Chirrup"
        assert (await alice.request(Ping(), to="localhost", result=None)).payload is None
        time = await alice.request(Element("time", "urn:xmpp:time"), to="localhost", result=Time)
        assert time.utc is not None
        with pytest.raises(PayloadError, match="the answer to <ping/> is empty"):
            await alice.request(Ping(), to="localhost")
        with pytest.raises(StanzaError, match="service-unavailable"):
            await alice.request(Note("x"), to="localhost")
        assert await alice.need(Pings).ping() >= 0


async def test_cancelling_a_request() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        for turns in range(4):
            asking = asyncio.create_task(alice.request(Version(), to="localhost"))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
        assert (await alice.request(Version(), to="localhost")).name == "Chirrup"


async def test_two_answers_to_the_same_are_an_error() -> None:
    client = Client("alice@localhost", "secret")
    with pytest.raises(ValueError, match="two handlers answer get <ping"):

        @client.on_request(Ping)
        def pong(request: Request[Ping]) -> None: ...


async def test_what_is_too_large_is_not_sent() -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        with pytest.raises(LocalProtocolError, match="262144 at most"):
            await alice.send(Message("bob@localhost", "x" * 300_000))
        with pytest.raises(LocalProtocolError, match=r"U\+0000"):
            await alice.send(Message("bob@localhost", "\0"))
        await alice.settle()


@pytest.mark.parametrize("text", ["x" * 300_000, "\0"])
async def test_an_answer_that_can_not_be_sent(text: str) -> None:
    """Whoever asked is told so, and the connection stands."""
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:

        @bob.on_request(Note)
        def at_once(request: Request[Note]) -> Note:
            return Note(text)

        await bob.send(Presence(alice.jid))
        await bob.settle()
        with pytest.raises(StanzaError, match="internal-server-error"):
            await alice.request(Note("?"), to=bob.jid)
        await bob.settle()


async def test_sending_waits_for_room(liar: Liar) -> None:
    """What a peer doesn't take isn't heaped up."""

    async def slow(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        await peer.end()

    client = liar.client(slow)
    await client.connect()
    most = 0

    async def flood() -> None:
        nonlocal most
        for _ in range(200):
            await client.send(Message("bob@localhost", "x" * 100_000))
            assert client._link is not None
            most = max(most, client._link.queued + client._link.transport.get_write_buffer_size())

    flooding = client.spawn(flood())
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not flooding.done()
    liar.go.set()
    async with asyncio.timeout(TIMEOUT):
        await flooding
    assert most < 500_000
    await client.close()


async def test_sending_gives_up_when_there_is_no_room(liar: Liar) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        await peer.end()

    client = liar.client(deaf)
    await client.connect()
    with pytest.raises(chirrup.DeadlineError, match="waiting for room to send"):
        async with asyncio.timeout(TIMEOUT):
            while True:
                sending = asyncio.create_task(client.send(Message("bob@localhost", "x" * 100_000)))
                for _ in range(50):
                    await asyncio.sleep(0)
                if not sending.done():
                    liar.clock.advance(30)
                await sending
    liar.go.set()
    await client.close()


# -- one shot


async def test_sending_a_single_message() -> None:
    async with serve() as server, await server.sdk("bob") as bob:
        await server.add_account("alice")
        heard = bob.messages()
        options: dict[str, Any] = {"host": "127.0.0.1", "port": server.port(), "verify": False}
        await chirrup.send("alice@localhost", "secret", to="bob@localhost", body="Hello", **options)
        assert (await first(heard)).body == "Hello"
        with pytest.raises(StanzaError, match="service-unavailable"):
            await chirrup.send("alice@localhost", "secret", to="nobody@localhost", body="Hello", **options)
        with pytest.raises(AuthenticationError):
            await chirrup.send("alice@localhost", "wrong", to="bob@localhost", body="Hello", **options)
