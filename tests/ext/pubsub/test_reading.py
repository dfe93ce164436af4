"""Retrieving items."""

from __future__ import annotations

from typing import Any

import pytest

from chirrup.ext.rsm.payloads import Set
from chirrup.testing import serve


async def filled(people: Any, server: Any, *items: str) -> Any:
    juliet = await server.client("juliet")
    for item in items:
        await people.publish(juliet, "tune", item, max_items="max")
    return juliet


async def test_some_by_id(people: Any) -> None:
    async with serve() as server:
        juliet = await filled(people, server, *"abc")
        assert await people.items(juliet, "tune", "<item id='c'/><item id='a'/><item id='x'/><item/>") == ["a", "c"]
        many = "<item id='a'/>" * 101
        assert await people.items(juliet, "tune", many) == "not-acceptable"


@pytest.mark.parametrize(
    ("number", "found"), [("2", ["b", "c"]), ("9", ["a", "b", "c"]), ("0", "bad-request"), ("-1", "bad-request")]
)
async def test_the_newest_few(people: Any, number: str, found: Any) -> None:
    async with serve() as server:
        juliet = await filled(people, server, *"abc")
        assert await people.items(juliet, "tune", max_items=number) == found


@pytest.mark.parametrize(
    ("page", "found", "told"),
    [
        ("<max>2</max>", "ab", ("a", 0, "b", 4)),
        ("<max>2</max><after>b</after>", "cd", ("c", 2, "d", 4)),
        ("<max>2</max><before/>", "cd", ("c", 2, "d", 4)),
        ("<max>2</max><before>c</before>", "ab", ("a", 0, "b", 4)),
        ("<max>1</max><before>c</before>", "b", ("b", 1, "b", 4)),
        ("<max>2</max><index>1</index>", "bc", ("b", 1, "c", 4)),
        ("<max>9</max><after>d</after>", "", None),
        ("<max>0</max>", "", None),
    ],
)
async def test_pages(people: Any, page: str, found: str, told: Any) -> None:
    async with serve() as server:
        juliet = await filled(people, server, *"abcd")
        xml = f"<items node='tune'/><set xmlns='http://jabber.org/protocol/rsm'>{page}</set>"
        answer = await people.ask(juliet, xml)
        pubsub = answer.first
        assert "".join(item.get("id") for item in pubsub.child("items").elements()) == found
        result = Set.find(pubsub)
        assert result is not None
        if told is None:
            assert (result.first, result.count) == (None, 4)
        else:
            assert result.first is not None
            assert (result.first.uid, result.first.index, result.last, result.count) == told


async def test_a_page_next_to_an_item_that_is_not_there(people: Any) -> None:
    async with serve() as server:
        juliet = await filled(people, server, "a")
        xml = "<items node='tune'/><set xmlns='http://jabber.org/protocol/rsm'><after>x</after></set>"
        assert people.condition(await people.ask(juliet, xml)) == "item-not-found"


async def test_an_answer_that_would_be_too_long(people: Any) -> None:
    async with serve({"modules": {"pubsub": {"max_answer_bytes": 1000}}}) as server:
        juliet = await server.client("juliet")
        for item in "abcd":
            await people.publish(juliet, "tune", item, "x" * 400, max_items="max")
        answer = await people.ask(juliet, "<items node='tune'/>")
        assert [item.get("id") for item in answer.first.child("items").elements()] == ["c", "d"]
        told = Set.find(answer.first)
        assert told is not None
        assert told.first is not None
        assert (told.first.uid, told.first.index, told.count) == ("c", 2, 4)
        xml = "<items node='tune'/><set xmlns='http://jabber.org/protocol/rsm'><before>c</before></set>"
        answer = await people.ask(juliet, xml)
        assert [item.get("id") for item in answer.first.child("items").elements()] == ["a", "b"]
        await people.publish(juliet, "tune", "e", "x" * 5000)
        assert await people.items(juliet, "tune", max_items=2) == ["e"]


async def test_ones_subscriptions_and_affiliations(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        for node in "mood", "tune":
            await people.publish(juliet, node, "a")
        to = "juliet@localhost"
        for kind in "subscriptions", "affiliations":
            answer = await people.ask(romeo, f"<{kind}/>", to=to)
            assert list(answer.first.child(kind).elements()) == []
            none = await people.ask(romeo, f"<{kind} node='none'/>", to=to)
            assert people.condition(none) == "item-not-found"
        for jid in "romeo@localhost", "romeo@localhost/orchard":
            assert await people.do(romeo, f"<subscribe node='tune' jid='{jid}'/>", to=to) == ""
        answer = await people.ask(romeo, "<subscriptions/>", to=to)
        assert sorted((one.get("node"), one.get("jid")) for one in answer.first.first.elements()) == [
            ("tune", "romeo@localhost"),
            ("tune", "romeo@localhost/orchard"),
        ]
        answer = await people.ask(juliet, "<affiliations/>")
        assert [(one.get("node"), one.get("affiliation")) for one in answer.first.first.elements()] == [
            ("mood", "owner"),
            ("tune", "owner"),
        ]


async def test_a_page_far_behind_the_last_item(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await people.publish(juliet, "tune", "a")
        page = (
            "<items node='tune'/><set xmlns='http://jabber.org/protocol/rsm'><index>99999999999999999999</index></set>"
        )
        answer = await people.ask(juliet, page)
        assert list(answer.first.child("items").elements()) == []


async def test_a_node_that_is_not_there(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        answer = await people.ask(juliet, "<items node='none'/>")
        assert people.condition(answer) == "item-not-found"
        error = answer.child("error")
        assert error is not None
        assert error.get("code") == "404"  # which some clients go by, to begin with OMEMO
        assert "code" not in (await people.ask(juliet, "<items/>")).child("error").attrs
