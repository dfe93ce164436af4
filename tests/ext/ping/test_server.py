from __future__ import annotations

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.ping.payloads import Ping
from chirrup.testing import TestClient, serve


async def ping(client: TestClient, to: str | None) -> Element:
    return await client.ask(Element("iq", CLIENT, Ping().to_element(), type="get", to=to))


@pytest.mark.parametrize("to", ["localhost", None, "alice@localhost"])
async def test_the_host_and_ones_own_account_answer(to: str | None) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        answer = await ping(alice, to)
        assert answer.get("type") == "result"
        assert answer.first is None
        assert answer.get("from") == (to or "")


@pytest.mark.parametrize("to", ["bob@localhost", "nobody@localhost"])
async def test_other_accounts_do_not(to: str) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await server.client("bob", presence=True)
        answer = await ping(alice, to)
        assert answer.get("type") == "error"
        assert read_error(answer).condition == "service-unavailable"


async def test_a_set_is_no_ping() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        answer = await alice.ask(Element("iq", CLIENT, Ping().to_element(), type="set", to="localhost"))
        assert read_error(answer).condition == "service-unavailable"
