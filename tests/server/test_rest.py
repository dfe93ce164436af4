"""What connections give back while nothing comes."""

from __future__ import annotations

import pytest

from chirrup.server.rest import AFTER, EVERY, Rounds
from chirrup.testing import FakeClock


class Connection:
    def __init__(self) -> None:
        self.asked: list[float] = []

    def rest(self, silent_since: float) -> None:
        self.asked.append(silent_since)


@pytest.mark.parametrize("number", [0, 1, 499, 500, 501, 2_000])
def test_all_are_asked_in_each_round(number):
    clock = FakeClock(now=0.0)
    connections = [Connection() for _ in range(number)]
    rounds = Rounds(clock, lambda: connections)
    rounds.start()
    clock.advance(EVERY - 0.1)
    assert not any(connection.asked for connection in connections)
    clock.advance(1)
    assert {len(connection.asked) for connection in connections} <= {1}
    assert all(-0.5 < connection.asked[0] - (EVERY - AFTER) < 0.5 for connection in connections)
    clock.advance(EVERY)
    assert {len(connection.asked) for connection in connections} <= {2}
    assert clock.waiting == 1
    rounds.stop()
    assert clock.waiting == 0


def parsers(server):
    """Whose connections have a parser of their own."""
    return {each.session.jid.local for each in server.server._listeners.open if hasattr(each, "parser")}


async def test_who_is_silent_has_no_parser(chirrup_server):
    async with chirrup_server() as server:
        clients = [await server.client(f"user{number}") for number in range(5)]
        assert parsers(server) == set()
        for _ in range(3):
            for client in clients:
                client.send("<presence/>")
                await client.settle()
            assert parsers(server) == set()


async def test_half_a_stanza_keeps_the_parser(chirrup_server):
    clock = FakeClock()
    async with chirrup_server(clock=clock) as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        for piece in ("<message type='chat' ", f"to='{bob.jid}'><bo", "dy>one</body>"):
            alice.send(piece)
            while "alice" not in parsers(server):
                await bob.settle()
            await bob.settle()
            clock.advance(3 * EVERY)
            assert parsers(server) == {"alice"}
        alice.send("</message>")
        assert (await bob.receive()).child_text("body") == "one"
        clock.advance(EVERY)
        assert parsers(server) == set()


async def test_who_says_much_keeps_the_parser_until_silent(chirrup_server):
    clock = FakeClock()
    async with chirrup_server(clock=clock) as server:
        alice = await server.client("alice")
        for number in range(12):
            await alice.settle()
            assert parsers(server) == ({"alice"} if number >= 4 else set())
        clock.advance(EVERY - 1)
        await alice.settle()
        clock.advance(EVERY - 1)
        assert parsers(server) == {"alice"}
        clock.advance(EVERY)
        assert parsers(server) == set()
        await alice.settle()
        assert parsers(server) == set()


@pytest.mark.parametrize("fault", ["<!-- -->", "</wrong>", "<a><b></a>", "text<a/>"])
async def test_who_makes_a_fault_takes_nobody_along(bystanders, fault):
    async with bystanders() as they:
        mallory = await they.server.client("mallory")
        mallory.send(fault)
        error = await mallory.end()
        assert error is not None and error.condition in ("restricted-xml", "not-well-formed", "bad-format")
        await they.chat()


async def test_a_stream_ends_with_a_parser_of_others(bystanders):
    async with bystanders() as they:
        carol, dave = await they.server.client("carol"), await they.server.client("dave")
        carol.send("<presence/></stream:stream>")
        assert await carol.end() is None
        await dave.settle()
        dave.send("</stream:stream>")
        assert await dave.end() is None
