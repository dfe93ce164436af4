from __future__ import annotations

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.private_storage import NS
from chirrup.ext.private_storage.payloads import Private
from chirrup.testing import TestClient, serve

PREFERENCES = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>"
ASKED = "<exodus xmlns='exodus:prefs'/>"


async def ask(client: TestClient, kind: str, inside: str, to: str | None = None) -> Element:
    query = parse_element(f"<query xmlns='{NS}'>{inside}</query>")
    return await client.ask(Element("iq", CLIENT, query, type=kind, to=to))


async def get(client: TestClient, inside: str) -> str:
    """What is kept under that name, as XML."""
    found = Private.find(await ask(client, "get", inside))
    assert found is not None
    return "".join(map(str, found.elements))


async def put(client: TestClient, inside: str) -> str:
    """ "result", or the condition of the error."""
    answer = await ask(client, "set", inside)
    return "result" if answer.get("type") == "result" else read_error(answer).condition


async def test_kept_and_given_back() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert await get(alice, ASKED) == ASKED
        assert await put(alice, PREFERENCES) == "result"
        assert await get(alice, ASKED) == PREFERENCES
        assert await get(await server.client("alice"), ASKED) == PREFERENCES
        assert await get(await server.client("bob"), ASKED) == ASKED


async def test_name_and_namespace_tell_elements_apart() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert await put(alice, "<a xmlns='one'>1</a><b xmlns='one'>2</b>") == "result"
        assert await put(alice, "<a xmlns='two'>3</a>") == "result"
        assert await get(alice, "<a xmlns='one'/>") == "<a xmlns='one'>1</a>"
        assert await get(alice, "<b xmlns='one'/>") == "<b xmlns='one'>2</b>"
        assert await get(alice, "<a xmlns='two'/>") == "<a xmlns='two'>3</a>"


async def test_an_empty_element_removes() -> None:
    async with serve({"modules": {"private_storage": {"max_bytes": 1000}}}) as server:
        alice = await server.client("alice")
        large = f"<a xmlns='one'>{'x' * 900}</a>"
        assert await put(alice, large) == "result"
        assert await put(alice, "<a xmlns='one'/>") == "result"
        assert await put(alice, large.replace("one", "two")) == "result"


@pytest.mark.parametrize(
    ("inside", "condition"),
    [
        ("", "not-acceptable"),
        ("<a/>", "not-acceptable"),
        ("<a xmlns='jabber:client'/>", "not-acceptable"),
        ("<a xmlns='one'>1</a><a xmlns='one'>2</a>", "not-acceptable"),
        ("<a xmlns='one'>1</a><a xmlns='two'>2</a>", "not-acceptable"),
    ],
)
async def test_sets_that_are_refused(inside: str, condition: str) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert await put(alice, inside) == condition
        assert await get(alice, "<a xmlns='one'/>") == "<a xmlns='one'/>"


@pytest.mark.parametrize(
    ("inside", "condition"),
    [
        ("", "bad-request"),
        ("<a xmlns='one'/><b xmlns='one'/>", "bad-request"),
        ("<a/>", "not-acceptable"),
    ],
)
async def test_gets_that_are_refused(inside: str, condition: str) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert read_error(await ask(alice, "get", inside)).condition == condition


@pytest.mark.parametrize("kind", ["get", "set"])
@pytest.mark.parametrize("to", ["bob@localhost", "nobody@localhost"])
async def test_of_somebody_else(kind: str, to: str) -> None:
    async with serve() as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        await put(bob, PREFERENCES)
        assert read_error(await ask(alice, kind, ASKED, to)).condition == "forbidden"
        assert await get(bob, ASKED) == PREFERENCES


async def test_an_account_has_so_much_room() -> None:
    async with serve({"modules": {"private_storage": {"max_bytes": 1000}}}) as server:
        alice = await server.client("alice")
        assert await put(alice, f"<a xmlns='one'>{'x' * 600}</a>") == "result"
        assert await put(alice, f"<b xmlns='one'>{'x' * 600}</b>") == "resource-constraint"
        assert await get(alice, "<b xmlns='one'/>") == "<b xmlns='one'/>"
        assert await put(alice, f"<a xmlns='one'>{'x' * 900}</a>") == "result"


async def test_and_one_element_too() -> None:
    async with serve({"modules": {"private_storage": {"max_element_bytes": 1000}}}) as server:
        alice = await server.client("alice")
        assert await put(alice, f"<a xmlns='one'>{'x' * 1000}</a>") == "policy-violation"
