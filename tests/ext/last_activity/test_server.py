from __future__ import annotations

from pathlib import Path

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.last_activity.payloads import LastActivity
from chirrup.store import Store
from chirrup.testing import FakeClock, TestClient, TestServer, serve


async def ask(client: TestClient, to: str | None) -> LastActivity | str:
    """What is told, or the condition of the error."""
    answer = await client.ask(Element("iq", CLIENT, LastActivity().to_element(), type="get", to=to))
    return LastActivity.find(answer) or read_error(answer).condition


async def friends(server: TestServer) -> tuple[TestClient, TestClient]:
    """Romeo, and Juliet, who shows him her presence and isn't shown his."""
    romeo = await server.client("romeo", presence=True)
    juliet = await server.client("juliet", presence=True)
    juliet.send("<presence type='subscribed' to='romeo@localhost'/>")
    await juliet.settle()
    romeo.send("<presence type='subscribe' to='juliet@localhost'/>")
    await romeo.settle()
    await juliet.settle()
    return romeo, juliet


async def test_uptime() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        alice = await server.client("alice")
        clock.advance(123_456.7)
        assert await ask(alice, "localhost") == LastActivity(123_456)


async def test_how_long_a_contact_is_away_and_what_it_said() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        romeo, juliet = await friends(server)
        assert await ask(romeo, "juliet@localhost") == LastActivity(0)
        juliet.send("<presence type='unavailable'><status>Heading Home</status></presence>")
        await juliet.settle()
        assert await ask(romeo, "juliet@localhost") == LastActivity(0)  # still connected
        await juliet.close()
        clock.advance(903)
        assert await ask(romeo, "juliet@localhost") == LastActivity(903, "Heading Home")


async def test_a_status_of_an_earlier_day_is_not_told() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        romeo, juliet = await friends(server)
        juliet.send("<presence type='unavailable'><status>Heading Home</status></presence><presence/>")
        await juliet.close()
        clock.advance(1)
        assert await ask(romeo, "juliet@localhost") == LastActivity(1)


async def test_the_last_of_several_sessions_counts() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        romeo, juliet = await friends(server)
        second = await server.client("juliet")
        await juliet.close()
        clock.advance(10)
        assert await ask(romeo, "juliet@localhost") == LastActivity(0)
        await second.close()
        clock.advance(10)
        assert await ask(romeo, "juliet@localhost") == LastActivity(10)


@pytest.mark.parametrize("to", [None, "romeo@localhost"])
async def test_ones_own(to: str | None) -> None:
    async with serve() as server:
        assert await ask(await server.client("romeo"), to) == LastActivity(0)


async def test_others_cannot_tell_whether_an_account_exists_or_is_there() -> None:
    async with serve() as server:
        _, juliet = await friends(server)
        await server.add_account("tybalt")
        for about in ("romeo@localhost", "tybalt@localhost", "nobody@localhost"):
            assert await ask(juliet, about) == "forbidden"


async def test_an_account_that_was_never_seen_to_leave() -> None:
    async with serve() as server:
        romeo, juliet = await friends(server)
        await juliet.close()
        store = server.server.store
        await store.submit(lambda rows: store.accounts.within(rows).change("localhost", "juliet", last_logout=None))
        assert await ask(romeo, "juliet@localhost") == "item-not-found"


async def test_log_in_and_log_out_are_written_down() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        accounts = server.server.store.accounts
        begun = clock.time()
        juliet, romeo = await server.client("juliet"), await server.client("romeo")
        clock.advance(1)
        for local in "juliet", "romeo":
            known = await accounts.info("localhost", local)
            assert known is not None
            assert (known.last_login, known.last_logout) == (begun, None)
        await romeo.close()
        clock.advance(59)
        await juliet.close()
        known = await accounts.info("localhost", "juliet")
        assert known is not None
        assert (known.last_login, known.last_logout) == (begun, begun + 60)


async def test_a_log_in_of_the_last_moment_is_written_down_when_the_server_stops(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        await server.client("juliet")
        begun = server.server.clock.time()
    store = await Store.open(str(tmp_path / "chirrup.db"))
    known = await store.accounts.info("localhost", "juliet")
    await store.close()
    assert known is not None and known.last_login is not None
    assert 0 <= begun - known.last_login < 60


async def test_a_log_in_of_an_account_that_was_removed_is_not_noted_of_a_new_one() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        host = server.server.hosts["localhost"]
        await server.client("juliet")
        await host.remove_account("juliet")
        await server.add_account("juliet")
        clock.advance(1)
        known = await server.server.store.accounts.info("localhost", "juliet")
        assert known is not None and known.last_login is None
