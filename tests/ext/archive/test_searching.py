"""Searching archives for words: large ones, several at once, and what it doesn't change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.stanza import result
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import FULL_TEXT_FIELD, NS
from chirrup.ext.archive.payloads import Query
from chirrup.ext.forms.payloads import Form
from chirrup.ext.rsm.payloads import Set
from chirrup.store import Store
from chirrup.testing import TestClient, TestServer, serve

Ask = Callable[..., Awaitable[Any]]
LARGE = 1_000
"""Messages of an archive that isn't indexed in one write."""


async def fill(server: TestServer, owner: str, count: int = LARGE) -> None:
    messages = server.server.store.messages
    for number in range(count):
        value = f"<message from='romeo@localhost/x' to='{owner}' type='chat'><body>word {number}</body></message>"
        messages.add((owner, messages.next_id(0), "romeo@localhost", "x", value, True, False))
    await server.server.store.settled()


def search(client: TestClient, text: str, identifier: str) -> None:
    query = Query(form=Form.of("submit", NS, {FULL_TEXT_FIELD: text})).to_element()
    client.send(Element("iq", CLIENT, query, type="set", id=identifier))


async def answered(client: TestClient, count: int) -> list[str]:
    """The ids of so many answers, in the order in which they come, and "+" for each message that is found."""
    order: list[str] = []
    while count:
        stanza = await client.receive()
        order.append("+" if stanza.name == "message" else stanza.get("id"))
        count -= stanza.name == "iq"
    return order


async def test_nothing_else_waits_while_a_large_archive_is_indexed(query: Ask) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await fill(server, "juliet@localhost")
        for text in ("word 7", "word 77", "word 777"):
            search(juliet, text, text)
        juliet.send("<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert await answered(juliet, 4) == ["ping", "+", "word 7", "+", "word 77", "+", "word 777"]
        search(juliet, "word 778", "search")
        juliet.send("<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert await answered(juliet, 2) == ["+", "search", "ping"], "there is an index now: order is kept"


async def test_of_many_searches_at_once_each_finds_everything() -> None:
    async with serve() as server:
        clients = [await server.client(f"juliet@localhost/{name}") for name in "abc"]
        clients.append(await server.client("nurse"))
        for owner in ("juliet", "nurse"):
            await fill(server, f"{owner}@localhost")
        for client in clients:
            for number in range(9):
                search(client, f"word {LARGE - 1 - number}", str(number))
        for order in await asyncio.gather(*[answered(client, 9) for client in clients]):
            assert sorted(order) == ["+"] * 9 + list("012345678")
            assert all(order[order.index(number) - 1] == "+" for number in "012345678"), "results come before the end"


async def test_nobody_else_waits_while_large_archives_are_gone_through(query: Ask) -> None:
    async with serve() as server:
        juliet, nurse = await server.client("juliet"), await server.client("nurse")
        for owner in ("juliet@localhost", "nurse@localhost"):
            await fill(server, owner, 10)
        end, loop, begun = threading.Event(), asyncio.get_running_loop(), asyncio.Semaphore(0)

        def long(_: object) -> None:
            loop.call_soon_threadsafe(begun.release)
            assert end.wait(30)

        store = server.server.store
        others = [asyncio.ensure_future(store.read_in_turn(long, owner=f"a{number}")) for number in range(2)]
        for _ in others:
            await begun.acquire()
        search(juliet, "word 7", "search")
        for form in (None, Form.of("submit", NS, {"with": "romeo@localhost"})):
            set_ = Query(form=form, set=Set(max=1)).to_element()
            nurse.send(Element("iq", CLIENT, set_, type="set", id="page"))
            assert await answered(nurse, 1) == ["+", "page"]
        await server.client("romeo")
        assert not juliet.received
        end.set()
        assert await answered(juliet, 1) == ["+", "search"]
        await asyncio.gather(*others)


async def test_who_leaves_while_searching() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await fill(server, "juliet@localhost")
        search(juliet, "word 777", "search")
        juliet.send("<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert await answered(juliet, 1) == ["ping"]
        await juliet.close()
        again = await server.client("juliet")
        search(again, "word 777", "search")
        assert await answered(again, 1) == ["+", "search"]


async def test_what_a_search_has_found_is_delivered_all_the_same(query: Ask) -> None:
    """A search shows one message: nobody can tell whether its client takes it for one that it has received."""
    async with serve() as server:
        romeo = await server.client("romeo")
        juliet = await server.client("juliet")
        romeo.send("<message to='juliet@localhost' type='chat'><body>needle</body></message>")
        await romeo.settle()
        assert (await query(juliet, **{FULL_TEXT_FIELD: "needle"})).texts == ["needle"]
        assert await server.server.store.messages.count_waiting("juliet@localhost") == 1
        assert not [stanza for stanza in juliet.received if stanza.get("type") == "get"]
        assert (await query(juliet)).texts == ["needle"]
        (question,) = [stanza for stanza in juliet.received if stanza.get("type") == "get"]
        juliet.send(result(question))
        await juliet.settle()
        assert await server.server.store.messages.count_waiting("juliet@localhost") == 0


async def test_a_search_page_by_page(query: Ask) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await fill(server, "juliet@localhost", 300)
        found: list[str] = []
        page = Set(max=100, before="")
        while True:
            answer = await query(juliet, page, **{FULL_TEXT_FIELD: "word"})
            found = answer.texts + found
            if answer.fin.complete:
                break
            page = Set(max=100, before=answer.ids[0])
        assert found == [f"word {number}" for number in range(300)]
        assert (await query(juliet, Set(max=0), **{FULL_TEXT_FIELD: "word"})).fin.set.count == 300


async def test_a_server_that_stops_waits_for_no_index(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        await fill(server, "juliet@localhost", 20_000)
        for number in range(2):
            search(juliet, f"word {number}", str(number))
        juliet.send("<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    store = await Store.open(str(tmp_path / "chirrup.db"))
    try:
        assert not await store.messages.index("juliet@localhost"), "much is left"
    finally:
        await store.close()
