"""Connections that are lost, and made again; sessions that go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.liar import BIND, PROCEED, STARTTLS, Liar, Peer

from chirrup import Client, ConnectionState, Message, NetworkError, StreamError
from chirrup.client import backoff
from chirrup.client.feature import Feature
from chirrup.client.management import MOST
from chirrup.client.states import StateChange
from chirrup.core.errors import ConfigError, DeadlineError
from chirrup.core.xml import Element
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.roster.client import Roster
from chirrup.ext.version.payloads import Version
from chirrup.testing import FakeClock, TestServer, serve

TIMEOUT = 10
SM = "urn:xmpp:sm:3"


class Diary(Feature):
    """Notes what happens to its session."""

    def __init__(self, entity: Any) -> None:
        super().__init__(entity)
        self.days: list[str] = []

    async def session_bound(self) -> None:
        self.days.append("bound")

    async def session_ready(self) -> None:
        self.days.append("ready")

    def session_resumed(self) -> None:
        self.days.append("resumed")

    def session_ended(self) -> None:
        self.days.append("ended")


async def until(client: Client, state: ConnectionState, feed: Any = None) -> StateChange:
    async with asyncio.timeout(TIMEOUT):
        async for change in client.states() if feed is None else feed:
            if change.state is state:
                return change
    raise AssertionError("it ended before that")


async def pass_time(clock: FakeClock, client: Client) -> StateChange:
    """Let time pass until the client is online again."""
    states = client.states()
    await until(client, ConnectionState.WAITING, states)
    clock.advance(backoff.FIRST)
    return await until(client, ConnectionState.ONLINE, states)


def cut(client: Client) -> None:
    """The network is gone."""
    assert client._link is not None
    client._link.abort()


async def online(server: TestServer, jid: str, **options: Any) -> tuple[Client, FakeClock]:
    clock = FakeClock()
    client = await server.sdk(jid, clock=clock, features=[Diary], **options)
    await client.connect()
    return client, clock


async def test_a_session_outlives_its_connection() -> None:
    async with serve() as server, await server.sdk("bob") as bob:
        alice, clock = await online(server, "alice")
        jid = alice.jid
        heard, bobs = alice.messages(), bob.messages()
        await alice.send(Message("bob@localhost", "1"))
        asking = asyncio.create_task(alice.request(Version(), to="localhost"))
        await asyncio.sleep(0)
        cut(alice)
        await bob.send(Message("alice@localhost", "while away"))
        await bob.settle()
        waiting = asyncio.create_task(alice.send(Message("bob@localhost", "2")))
        change = await pass_time(clock, alice)
        assert change.resumed
        assert alice.jid == jid
        async with asyncio.timeout(TIMEOUT):
            assert (await asking).name == "Chirrup"
            await waiting
            assert (await anext(heard)).body == "while away"
            assert [(await anext(bobs)).body for _ in range(2)] == ["1", "2"]
        assert alice.need(Diary).days == ["bound", "ready", "resumed"]
        await alice.close()
        assert alice.need(Diary).days[3:] == ["ended"]


async def test_what_was_sent_is_sent_again_in_a_new_session() -> None:
    """The server has forgotten the session: the messages that it hadn't acknowledged go into the new one."""
    async with serve({"modules": {}}) as server, await server.sdk("bob") as bob:
        alice, clock = await online(server, "alice")
        assert alice._managed is not None
        heard = bob.messages()
        cut(alice)
        ledger = alice._managed.management.ledger
        origin = Element("origin-id", "urn:xmpp:sid:0", id="o")
        delay = Delay(datetime(2020, 2, 2, tzinfo=UTC), reason="on its way for long")
        alice._managed.management.id = "what nobody knows"
        ledger.add(Message("bob@localhost", "lost?", origin, id="m").element.to_bytes(), 1_700_000_000.0)
        assert alice._max_bytes is not None
        ledger.add(
            Message("bob@localhost", "x" * (alice._max_bytes - 150), id="large").element.to_bytes(), 1_700_000_000.0
        )
        ledger.add(Message("bob@localhost", "lost again?", delay, id="again").element.to_bytes(), 1_700_000_000.0)
        change = await pass_time(clock, alice)
        assert not change.resumed
        async with asyncio.timeout(TIMEOUT):
            first, large, again = [await anext(heard) for _ in range(3)]
        assert (first.id, first.body) == ("m", "lost?")
        assert first.element.child("origin-id", "urn:xmpp:sid:0") == origin
        assert first.get(Delay) == Delay(datetime.fromtimestamp(1_700_000_000, UTC), alice.jid)
        assert (large.id, large.get(Delay)) == ("large", None)  # with that the server wouldn't take it
        assert again.get(Delay) == delay
        assert alice.need(Diary).days == ["bound", "ready", "ended", "bound", "ready"]
        await alice.close()


async def test_it_comes_back_with_a_token() -> None:
    """XEP-0484: the second log-in needs no password, and no round trip for the server's offer."""
    async with serve() as server:
        alice, clock = await online(server, "alice")
        assert alice._token is not None
        assert alice._managed is not None
        alice._managed.management.id = ""  # so that a new session has to be made
        cut(alice)
        credentials = alice._policy.credentials
        assert credentials is not None
        alice._policy = replace(alice._policy, credentials=replace(credentials, password="another by now"))
        await pass_time(clock, alice)
        await alice.settle()
        await alice.close()


async def test_a_token_that_is_good_for_nothing_any_more() -> None:
    async with serve() as server:
        alice, clock = await online(server, "alice")
        credentials = alice._policy.credentials
        assert credentials is not None and credentials.token is not None
        wrong = replace(credentials, token=replace(credentials.token, secret="wrong"))
        alice._policy = replace(alice._policy, credentials=wrong)
        cut(alice)
        await pass_time(clock, alice)
        assert alice._token != wrong.token
        await alice.close()


async def test_it_is_not_talked_into_telling_its_password(tmp_path: Path) -> None:
    """XEP-0474 §7: a server that could do better once, and offers nothing but PLAIN now, may be somebody else."""
    host = {"modules_disabled": ["tokens"]}
    async with serve({"hosts": {"localhost": host}}, data=tmp_path) as server:
        alice, clock = await online(server, "alice")
    await until(alice, ConnectionState.WAITING)
    async with serve({"hosts": {"localhost": {**host, "mechanisms": ["PLAIN"]}}}, data=tmp_path) as server:
        alice._target = replace(alice._target, port=server.port())
        clock.advance(backoff.FIRST)
        await until(alice, ConnectionState.NEGOTIATING)
        change = await until(alice, ConnectionState.WAITING)
        assert isinstance(change.reason, StreamError) and "no safe way to authenticate" in change.reason.text
        await alice.close()
        async with await server.sdk("alice"):
            pass  # who doesn't know better


async def test_it_comes_back_where_the_server_wants_it(liar: Liar) -> None:
    """XEP-0198 §3, "location"."""
    other = Liar()
    other.clock = liar.clock
    await other.start()

    async def first(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        await peer.read()
        peer.send(f"<enabled xmlns='{SM}' id='s' resume='true' location='127.0.0.1:{other.port}'/><message/>")
        await peer.go.wait()
        peer.drop()

    async def second(peer: Peer) -> None:
        await peer.authenticate()
        peer.features(f"<sm xmlns='{SM}'/>")
        assert (await peer.read()).get("previd") == "s"
        peer.send(f"<resumed xmlns='{SM}' previd='s' h='0'/>")
        await peer.end()

    other.scripts = [second]
    client = liar.client(first, reconnect=True)
    came = client.messages(lambda message: True)
    await client.connect()
    await anext(came)
    liar.go.set()
    change = await pass_time(liar.clock, client)
    assert change.resumed
    assert (liar.connections, other.connections) == (1, 1)
    await client.close()
    await other.stop()


async def test_a_connection_that_is_lost_while_the_session_is_set_up(liar: Liar) -> None:
    """It is gone on with, so that nothing that was sent in it is sent twice, and is set up anew."""

    async def leave(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        await peer.read()
        peer.send(f"<enabled xmlns='{SM}' id='s' resume='true'/>")
        while (await peer.read()).name != "iq":
            pass
        peer.drop()

    async def stay(peer: Peer) -> None:
        await peer.authenticate()
        peer.features(BIND, f"<sm xmlns='{SM}'/>")
        resume = await peer.read()
        assert (resume.name, resume.get("previd")) == ("resume", "s")
        peer.send(f"<resumed xmlns='{SM}' previd='s' h='1'/>")
        iq = await peer.read()
        assert iq.name == "iq"
        peer.send(f"<iq type='result' id='{iq.get('id')}'><query xmlns='jabber:iq:roster'/></iq>")
        await peer.end()

    client = liar.client(leave, stay, reconnect=True, features=[Diary, Roster])
    states = client.states()
    connecting = asyncio.create_task(client.connect(retry=True))
    change = await until(client, ConnectionState.WAITING, states)
    assert isinstance(change.reason, NetworkError)
    liar.clock.advance(2)
    async with asyncio.timeout(TIMEOUT):
        await connecting
    assert not client.change.resumed
    assert client.need(Diary).days == ["bound", "ended", "bound", "ready"]
    await client.close()


async def test_later_messages_do_not_overtake_those_that_are_sent_again() -> None:
    async with serve() as server, await server.sdk("bob") as bob:
        alice, clock = await online(server, "alice")
        assert alice._managed is not None
        heard = bob.messages()
        cut(alice)
        for number in range(3):
            alice._managed.management.ledger.add(Message("bob@localhost", str(number)).element.to_bytes(), 0)
        alice._managed.management.id = "what nobody knows"
        later = asyncio.create_task(alice.send(Message("bob@localhost", "3")))
        await pass_time(clock, alice)
        async with asyncio.timeout(TIMEOUT):
            await later
            assert [(await anext(heard)).body for _ in range(4)] == ["0", "1", "2", "3"]
        await alice.close()


async def test_nothing_is_sent_before_the_server_counts_it(liar: Liar) -> None:
    """What is sent between `<enable/>` and its answer is lost with the connection, or isn't: nobody could know."""
    asked = asyncio.Event()

    async def leave(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        assert (await peer.read()).name == "enable"
        asked.set()
        await liar.go.wait()
        peer.drop()

    async def stay(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        assert (await peer.read()).name == "enable"
        peer.send(f"<enabled xmlns='{SM}' id='s' resume='true'/>")
        assert (await peer.read()).child_text("body") == "once"
        await peer.end()

    client = liar.client(leave, stay, reconnect=True)
    states = client.states()
    await client.connect()
    await asked.wait()
    sending = asyncio.create_task(client.send(Message("bob@localhost", "once")))
    await asyncio.sleep(0)
    assert not sending.done()
    liar.go.set()
    await until(client, ConnectionState.WAITING, states)
    liar.clock.advance(2)
    async with asyncio.timeout(TIMEOUT):
        await sending
    await client.close()


async def test_another_client_takes_the_resource() -> None:
    async with serve() as server:
        alice, _ = await online(server, "alice/garden")
        other = await server.sdk("alice/garden")
        async with other:
            change = await until(alice, ConnectionState.OFFLINE)
            assert isinstance(change.reason, StreamError)
            assert change.reason.condition == "conflict"


async def test_attempts_become_rare() -> None:
    """Twofold longer each time, up to a limit, and never at the same moment for all clients."""
    longest = backoff.delays(lambda: 1.0)
    assert [next(longest) for _ in range(10)] == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    shortest = backoff.delays(lambda: 0.0)
    assert next(shortest) == 1
    drawn = backoff.delays()
    assert 1 <= next(drawn) <= 2


async def test_it_tries_until_the_server_is_back(liar: Liar) -> None:
    async def refuse(peer: Peer) -> None:
        peer.drop()

    async def serve_once(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.drop()

    async def serve_again(peer: Peer) -> None:
        await peer.log_in()
        await peer.end()

    client = liar.client(serve_once, refuse, refuse, serve_again, reconnect=True)
    await client.connect()
    states = client.states()
    liar.go.set()
    delays = []
    async with asyncio.timeout(TIMEOUT):
        async for change in states:
            if change.state is ConnectionState.WAITING:
                assert change.retry_in is not None
                delays.append(change.retry_in)
                liar.clock.advance(change.retry_in)
            if change.state is ConnectionState.ONLINE and liar.connections == 4:
                break
    assert [1 <= delay / 2**exponent <= 2 for exponent, delay in enumerate(delays)] == [True] * 3
    await client.close()


async def test_a_server_that_drops_it_at_once_is_asked_less_and_less(liar: Liar) -> None:
    """Who was online for a moment only goes on to wait longer; after a while online waiting begins anew."""

    async def drop(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.drop()

    liar.go.set()
    client = liar.client(drop, reconnect=True)
    await client.connect()
    states = client.states()
    delays: list[float] = []
    async with asyncio.timeout(TIMEOUT):
        async for change in states:
            if change.state is ConnectionState.WAITING:
                assert change.retry_in is not None
                delays.append(change.retry_in)
                liar.clock.advance(change.retry_in)
                if len(delays) == 3:
                    liar.go.clear()
                if len(delays) == 4:
                    break
            if change.state is ConnectionState.ONLINE and len(delays) == 3:
                liar.clock.advance(backoff.STEADY)
                liar.go.set()
    assert [1 <= delay / 2**exponent <= 2 for exponent, delay in enumerate(delays[:3])] == [True] * 3
    assert 1 <= delays[3] <= 2
    await client.close()


async def test_who_waits_for_another_certificate_says_so(
    liar: Liar, certificate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be renewed, so that trying ends only with the program; what else keeps it from connecting is a warning."""
    context, _ = certificate("localhost")

    async def strange(peer: Peer) -> None:
        await peer.start_tls(context)

    async def refuse(peer: Peer) -> None:
        peer.drop()

    client = liar.client(strange, refuse, require_tls=True, reconnect=True)
    states = client.states()
    connecting = asyncio.create_task(client.connect(retry=True))
    await until(client, ConnectionState.WAITING, states)
    liar.clock.advance(2)
    await until(client, ConnectionState.WAITING, states)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "chirrup.client"]
    assert [level for level, _ in told] == ["ERROR", "WARNING"]
    assert "isn't trusted for localhost" in told[0][1]
    assert "the option ca names authorities to trust; the next attempt is in" in told[0][1]
    connecting.cancel()
    await client.close()


async def test_options_that_are_wrong_are_not_tried_again(liar: Liar) -> None:
    async def proceed(peer: Peer) -> None:
        await peer.header()
        peer.features(STARTTLS)
        await peer.read()
        peer.send(PROCEED)
        await peer.end()

    with pytest.raises(ConfigError, match=r"ca: can't use the authorities in none\.crt"):
        await liar.client(proceed, require_tls=True, ca="none.crt", reconnect=True).connect(retry=True)


async def test_a_file_that_is_just_being_replaced(tmp_path: Path) -> None:
    """Authorities are renewed while a program runs, which isn't to end because it looked at the wrong moment."""
    async with serve(data=tmp_path) as server:
        authorities = tmp_path / "authorities.pem"
        known = (tmp_path / "certificates" / "localhost.crt").read_bytes()
        authorities.write_bytes(known)
        alice, clock = await online(server, "alice", ca=authorities, verify=True)
        states = alice.states()
        authorities.write_bytes(b"")
        cut(alice)
        await until(alice, ConnectionState.WAITING, states)
        clock.advance(backoff.FIRST)
        change = await until(alice, ConnectionState.WAITING, states)
        assert isinstance(change.reason, ConfigError) and change.retry_in is not None
        authorities.write_bytes(known)
        clock.advance(change.retry_in)
        await until(alice, ConnectionState.ONLINE, states)
        await alice.close()


async def test_the_first_connection_is_tried_again_if_that_is_wished(liar: Liar) -> None:
    async def refuse(peer: Peer) -> None:
        peer.drop()

    async def let_in(peer: Peer) -> None:
        await peer.log_in()
        await peer.end()

    client = liar.client(refuse, let_in, reconnect=True)
    states = client.states()
    connecting = asyncio.create_task(client.connect(retry=True))
    await until(client, ConnectionState.WAITING, states)
    liar.clock.advance(2)
    async with asyncio.timeout(TIMEOUT):
        await connecting
    assert (client.state, liar.connections) == (ConnectionState.ONLINE, 2)
    await client.close()


async def test_closing_while_it_waits(liar: Liar) -> None:
    async def leave(peer: Peer) -> None:
        await peer.log_in()
        await peer.go.wait()
        peer.drop()

    client = liar.client(leave, reconnect=True)
    await client.connect()
    liar.go.set()
    await until(client, ConnectionState.WAITING)
    await client.close()
    assert client.state is ConnectionState.OFFLINE
    assert liar.clock.waiting == 0
    await client.wait_closed()


async def test_the_server_acknowledges_and_is_acknowledged(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        assert (await peer.read()).name == "enable"
        peer.send(f"<enabled xmlns='{SM}'/><message/><r xmlns='{SM}'/>")
        assert str(await peer.read()) == f"<a xmlns='{SM}' h='1'/>"
        for _ in range(20):
            assert (await peer.read()).name == "message"
        assert (await peer.read()).name == "r"
        peer.send(f"<a xmlns='{SM}' h='20'/>")
        await peer.read()
        peer.send(f"<a xmlns='{SM}' h='99'/>")
        await peer.end()
        assert b"handled-count-too-high" in peer.heard

    client = liar.client(script)
    came = client.messages(lambda message: True)
    await client.connect()
    await anext(came)
    for _ in range(21):
        await client.send(Message("bob@localhost", "x"))
    change = await until(client, ConnectionState.OFFLINE)
    assert isinstance(change.reason, StreamError)
    assert change.reason.condition == "undefined-condition"


async def test_too_much_that_nobody_acknowledges_waits(liar: Liar) -> None:
    """What is sent is kept until then, also over a cut; who sends more waits, and goes on behind it."""

    async def forget(peer: Peer) -> None:
        await peer.log_in(f"<sm xmlns='{SM}'/>")
        await peer.read()
        peer.send(f"<enabled xmlns='{SM}' id='s' resume='true'/>")
        await peer.go.wait()
        peer.drop()

    async def remember(peer: Peer) -> None:
        await peer.authenticate()
        peer.features(f"<sm xmlns='{SM}'/>")
        assert (await peer.read()).get("previd") == "s"
        peer.send(f"<resumed xmlns='{SM}' previd='s' h='1'/>")
        await again(peer, range(1, MOST))
        peer.send(f"<a xmlns='{SM}' h='{MOST}'/>")
        await again(peer, [MOST])
        await peer.end()

    async def again(peer: Peer, numbers: Iterable[int]) -> None:
        for number in numbers:
            while (element := await peer.read()).name != "message":
                assert element.name == "r"
            assert element.child_text("body") == str(number)

    client = liar.client(forget, remember, reconnect=True)
    await client.connect()
    for number in range(MOST):
        await client.send(Message("bob@localhost", str(number)))
    waits = liar.clock.waits
    given_up = asyncio.create_task(client.send(Message("bob@localhost", "given up")))
    await liar.clock.wait_begun(waits)
    liar.clock.advance(client.timeout)
    with pytest.raises(DeadlineError, match="waiting for room to send"):
        await given_up
    last = asyncio.create_task(client.send(Message("bob@localhost", str(MOST))))
    liar.go.set()
    await pass_time(liar.clock, client)
    async with asyncio.timeout(TIMEOUT):
        await last
    await client.close()
