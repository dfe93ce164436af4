"""Connections of clients: limits before and after log-in, and peers who don't read or aren't read."""

from __future__ import annotations

import asyncio
import base64
import socket
from itertools import pairwise

import pytest

from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.core.xml import Element
from chirrup.testing import PASSWORD, FakeClock, Refused, TestClient

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
UNLIMITED = {"limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}}


def plain(username: str, password: str) -> str:
    data = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    return f"<auth xmlns='{SASL}' mechanism='PLAIN'>{data}</auth>"


# -- before log-in


async def test_only_so_much_is_read_before_log_in(bystanders, open_stream):
    async with bystanders({"limits": {"bytes_before_login": 10_000}}) as they:
        mallory = await open_stream(they.server)
        mallory.send(" " * 9_700)
        mallory.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'/>" * 10)
        error = await mallory.end()
        assert error is not None and error.condition == "policy-violation"
        assert error.text == "that is too much before a log-in"


async def test_log_in_takes_less_than_may_be_sent_before_it(bystanders):
    async with bystanders({"limits": {"bytes_before_login": 10_000}}) as they:
        await they.server.client("carol", direct_tls=True)


async def test_who_never_begins_tls_is_cut_off_without_a_word(bystanders):
    """Where TLS comes first nothing can be said before it."""
    clock = FakeClock()
    async with bystanders({"limits": {"seconds_before_login": 30}}, clock=clock) as they:
        reader, writer = await asyncio.open_connection("127.0.0.1", they.server.port("c2s_direct_tls"))
        silent = asyncio.create_task(reader.read())
        await they.outlast(silent)
        clock.advance(29)
        await they.outlast(silent)
        clock.advance(1)
        assert await silent == b""
        writer.close()
        while len(they.server.server.connections) > 2:
            await they.chat()


async def test_too_many_connections_are_cut_off_where_tls_comes_first(bystanders):
    async with bystanders({"limits": {"connections_per_address": 2}}) as they:
        with pytest.raises(OSError):
            await they.server.raw(direct_tls=True)


async def test_a_log_in_in_time_stops_the_clock(bystanders):
    clock = FakeClock()
    async with bystanders({"limits": {"seconds_before_login": 30}}, clock=clock) as they:
        carol = await they.server.client("carol")
        clock.advance(3600)
        await carol.settle()


# -- failed log-ins


async def fail(client: TestClient, times: int) -> None:
    """Guess wrong, each time on the same stream, and hear so."""
    for _ in range(times):
        client.send(plain("alice", "wrong"))
        assert (await client.receive()).name == "failure"


async def slow_guess(they, clock: FakeClock, client: TestClient) -> asyncio.Task[None]:
    """A guess whose failure is kept back, as it is when this returns."""
    timers = clock.waiting
    task = asyncio.create_task(fail(client, 1))
    while clock.waiting == timers:
        await they.outlast(task)
    return task


async def test_failed_log_ins_are_told_later_and_later(bystanders, open_stream):
    clock = FakeClock()
    async with bystanders({"limits": {"failed_logins": 2, "log_in_attempts": 5}}, clock=clock) as they:
        mallory = await open_stream(they.server, direct_tls=True)
        await fail(mallory, 2)
        for delay in (1, 2):
            slow = await slow_guess(they, clock, mallory)
            clock.advance(delay - 0.5)
            await they.outlast(slow)
            clock.advance(0.5)
            await slow


async def test_another_connection_is_no_way_round(bystanders, open_stream):
    clock = FakeClock()
    async with bystanders({"limits": {"failed_logins": 1}}, clock=clock) as they:
        await fail(await open_stream(they.server, direct_tls=True), 1)
        slow = await slow_guess(they, clock, await open_stream(they.server, direct_tls=True))
        clock.advance(1)
        await slow


async def test_guesses_in_one_breath_are_no_way_round(bystanders, open_stream):
    clock = FakeClock()
    async with bystanders({"limits": {"failed_logins": 1, "log_in_attempts": 5}}, clock=clock) as they:
        mallory = await open_stream(they.server, direct_tls=True)
        timers = clock.waiting
        mallory.send(plain("alice", "wrong") * 2 + plain("alice", PASSWORD))
        assert (await mallory.receive()).name == "failure"
        second = asyncio.create_task(mallory.receive())
        while clock.waiting == timers:
            await they.outlast(second)
        await they.outlast(second)
        clock.advance(1)
        assert (await second).name == "failure"
        assert (await mallory.receive()).name == "success"


async def test_a_right_log_in_is_not_slowed_down(bystanders, open_stream):
    clock = FakeClock()
    async with bystanders({"limits": {"failed_logins": 1}}, clock=clock) as they:
        await fail(await open_stream(they.server, direct_tls=True), 1)
        await they.server.client("alice")


async def test_after_too_many_nothing_is_tried_any_more(bystanders, open_stream):
    """Not even the right password: otherwise a guesser would only have to go on."""
    clock = FakeClock()
    limits = {"failed_logins": 3, "failed_logins_refuse": 3, "log_in_attempts": 5, "failed_login_window": 600}
    async with bystanders({"limits": limits}, clock=clock) as they:
        mallory = await open_stream(they.server, direct_tls=True)
        await fail(mallory, 2)
        mallory.send(plain("alice", "wrong"))
        error = await mallory.end()
        assert error is not None and error.condition == "policy-violation"

        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            another = await they.server.raw(direct_tls=True)
            credentials = Credentials("alice", PASSWORD, mechanisms=(mechanism,))
            with pytest.raises(Exception, match="policy-violation: too many failed log-ins"):
                await another.log_in(ClientPolicy(credentials), "localhost")
        clock.advance(601)
        await they.server.client("alice")


async def test_what_is_no_guess_does_not_count(bystanders, open_stream):
    async with bystanders({"limits": {"failed_logins": 1, "failed_logins_refuse": 1}}) as they:
        mallory = await open_stream(they.server, direct_tls=True)
        for request, condition in (
            ("mechanism='X'/>", "invalid-mechanism"),
            ("mechanism='PLAIN'>!</auth>", "incorrect-encoding"),
        ):
            mallory.send(f"<auth xmlns='{SASL}' {request}")
            assert (await mallory.receive()).first.name == condition
        await they.server.client("alice")


async def test_the_same_goes_for_somebody_who_does_not_exist(bystanders):
    async with bystanders({"limits": {"failed_logins": 1, "failed_logins_refuse": 1}}) as they:
        nobody = await they.server.raw()
        with pytest.raises(Refused, match="not-authorized"):
            await nobody.log_in(ClientPolicy(Credentials("nobody", "x")), "localhost")
        with pytest.raises(Exception, match="policy-violation"):
            await they.server.client("alice")


async def test_a_failed_log_in_says_so(bystanders):
    async with bystanders() as they:
        with pytest.raises(Refused, match="not-authorized"):
            await they.server.client("alice", "wrong")


# -- rates


async def test_who_sends_too_fast_is_read_slowly(bystanders):
    clock = FakeClock()
    async with bystanders({"limits": {"bytes_per_second": 1000, "burst_bytes": 10_000}}, clock=clock) as they:
        carol = await they.server.client("carol")
        carol.send(f"<message to='{carol.jid}'><body>{'a' * 20_000}</body></message>")
        assert len((await carol.receive()).child_text("body")) == 20_000
        slow = asyncio.create_task(carol.settle())
        await they.outlast(slow)
        clock.advance(5)
        await they.outlast(slow)
        clock.advance(60)
        await slow


async def test_who_keeps_to_the_rate_is_not(bystanders):
    clock = FakeClock()
    async with bystanders({"limits": {"bytes_per_second": 1000, "burst_bytes": 10_000}}, clock=clock) as they:
        carol = await they.server.client("carol")
        for _ in range(30):
            carol.send(f"<message to='{carol.jid}'><body>{'a' * 5_000}</body></message>")
            await carol.settle()
            clock.advance(6)
        assert len(carol.received) == 30


# -- who doesn't read, and who isn't read


async def connect_narrowly(port: int) -> TestClient:
    """A connection over which little is under way at any time."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    return TestClient(*await asyncio.open_connection(sock=narrow, limit=4096))


async def test_who_does_not_read_is_cut_off_when_too_much_waits(bystanders):
    """Then what is sent there is answered as for anybody who isn't there."""
    settings = {"limits": {**UNLIMITED["limits"], "send_buffer_bytes": 200_000}}
    async with bystanders(settings) as they:
        carol = await they.server.client("carol")
        await they.server.add_account("dave")
        dave = await connect_narrowly(they.server.port())
        await dave.log_in(ClientPolicy(Credentials("dave", PASSWORD), "sofa", tls_required=False), "localhost")
        for number in range(1000):
            carol.send(f"<message to='{dave.jid}' id='{number}'><body>{'a' * 50_000}</body></message>")
            await carol.settle()
            if carol.received:
                break
        error = await carol.receive()
        assert (error.get("type"), error.child("error").first.name) == ("error", "service-unavailable")
        dave.drop()


async def test_who_does_not_read_is_not_read(bystanders):
    """The server takes no more from such a client than it can get rid of; once it reads, all is there."""
    async with bystanders(UNLIMITED) as they:
        carol = await they.server.client("carol")
        for number in range(600):
            carol.send(f"<message to='{carol.jid}' id='{number}'><body>{'a' * 50_000}</body></message>")
        waiting, before = carol.unsent, -1
        while waiting != before:
            for _ in range(5):
                await they.chat()
            waiting, before = carol.unsent, waiting
        assert waiting > 1_000_000
        assert [(await carol.receive()).get("id") for _ in range(600)] == [str(number) for number in range(600)]


async def test_who_does_not_read_is_answered_no_further(bystanders):
    """However large the answers are to what came at once: they would all have to be kept."""
    blocked = "".join(f"<item jid='{'x' * 150}{number}@example.org'/>" for number in range(1000))
    async with bystanders(UNLIMITED) as they:
        carol = await they.server.client("carol/sofa")
        carol.send(f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'>{blocked}</block></iq>")
        assert (await carol.receive()).get("type") == "result"
        carol.send("".join(f"<iq type='get' id='{n}'><blocklist xmlns='urn:xmpp:blocking'/></iq>" for n in range(150)))
        transport = they.server.server.hosts["localhost"].accounts["carol"].sessions["sofa"].wire.transport
        most, waiting = 0, -1
        while not most or transport.get_write_buffer_size() != waiting:
            waiting = transport.get_write_buffer_size()
            for _ in range(5):
                await they.chat()
                most = max(most, transport.get_write_buffer_size())
        assert 0 < most < 1_000_000
        assert [(await carol.receive()).get("id") for _ in range(150)] == [str(number) for number in range(150)]


async def test_who_says_much_at_once_takes_turns_with_others(bystanders):
    handled: list[int] = []
    async with bystanders(UNLIMITED) as they:
        carol = await they.server.client("carol/sofa")
        carol.send("<enable xmlns='urn:xmpp:sm:3'/>")
        assert (await carol.receive()).name == "enabled"
        session = they.server.server.hosts["localhost"].accounts["carol"].sessions["sofa"]
        loop = asyncio.get_running_loop()

        def look() -> None:
            handled.append(session.management.handled)
            if handled[-1] < 1000:
                loop.call_soon(look)

        look()
        carol.send("".join(f"<message to='{they.bob.jid}' id='{number}'/>" for number in range(1000)))
        assert [(await they.bob.receive()).get("id") for _ in range(1000)] == [str(number) for number in range(1000)]
        while handled[-1] < 1000:
            await they.chat()
        assert max(after - before for before, after in pairwise(handled)) <= 64


async def test_who_leaves_without_a_word_is_gone(bystanders):
    async with bystanders() as they:
        carol = await they.server.client("carol/sofa")
        carol.drop()
        probe = Element("iq", "jabber:client", Element("x", "urn:x"), type="get", to=str(carol.jid))
        sessions = they.server.server.hosts["localhost"].accounts["carol"].sessions
        while sessions:
            await they.chat()
        answer = await they.alice.ask(probe)
        assert answer.child("error").first.name == "service-unavailable"
