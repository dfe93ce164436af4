from __future__ import annotations

from pathlib import Path

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient, serve

CARD = parse_element("<vCard xmlns='vcard-temp'><FN>Peter &amp; Paul</FN><N><FAMILY>Saint-Andre</FAMILY></N></vCard>")
EMPTY = parse_element("<vCard xmlns='vcard-temp'/>")


async def get(client: TestClient, to: str | None = None) -> Element | str:
    """The vCard, or the condition of the error."""
    answer = await client.ask(Element("iq", CLIENT, EMPTY, type="get", to=to))
    return answer.child("vCard", "vcard-temp") or read_error(answer).condition


async def put(client: TestClient, card: Element, to: str | None = None) -> str:
    """ "result", or the condition of the error."""
    answer = await client.ask(Element("iq", CLIENT, card, type="set", to=to))
    return "result" if answer.get("type") == "result" else read_error(answer).condition


@pytest.mark.parametrize("to", [None, "alice@localhost"])
async def test_set_and_seen_by_everybody(to: str | None) -> None:
    async with serve() as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        assert await put(alice, CARD, to) == "result"
        assert await get(alice, to) == CARD
        assert await get(bob, "alice@localhost") == CARD
        other = parse_element("<vCard xmlns='vcard-temp'><NICKNAME>al</NICKNAME></vCard>")
        assert await put(alice, other, to) == "result"
        assert await get(bob, "alice@localhost") == other


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        assert await put(await server.client("alice"), CARD) == "result"
    async with serve(data=tmp_path) as server:
        assert await get(await server.client("alice")) == CARD


async def test_no_vcard_looks_like_no_account() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await server.add_account("bob")
        assert await get(alice) == "item-not-found"
        assert await get(alice, "bob@localhost") == "service-unavailable"
        assert await get(alice, "nobody@localhost") == "service-unavailable"


async def test_an_empty_one_removes_it() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await put(alice, CARD)
        assert await put(alice, EMPTY) == "result"
        assert await get(alice) == "item-not-found"


@pytest.mark.parametrize("to", ["bob@localhost", "nobody@localhost"])
async def test_of_somebody_else(to: str) -> None:
    async with serve() as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        await put(bob, CARD)
        assert await put(alice, EMPTY, to) == "forbidden"
        assert await get(bob) == CARD


async def test_too_large() -> None:
    async with serve({"modules": {"vcard": {"max_bytes": 1000}}}) as server:
        alice = await server.client("alice")
        await put(alice, CARD)
        assert await put(alice, Element("vCard", "vcard-temp", Element("DESC", "", "x" * 1000))) == "policy-violation"
        assert await get(alice) == CARD
