from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.bookmarks.payloads import Conference
from chirrup.ext.pubsub.engine import Change
from chirrup.ext.pubsub.server import PersonalEventing
from chirrup.testing import TestClient, serve

NEW, OLD = "urn:xmpp:bookmarks:1", "storage:bookmarks"
PLAY, ORCHARD = "theplay@conference.localhost", "orchard@conference.localhost"
URL = "<url name='Complete Works' url='https://example.org/'/>"


async def private(client: TestClient, inside: str | None = None) -> list[str]:
    """Get the bookmarks in private storage, or set them; what is in the element."""
    storage = parse_element(f"<storage xmlns='{OLD}'>{inside or ''}</storage>")
    query = Element("query", "jabber:iq:private", storage)
    answer = await client.ask(Element("iq", CLIENT, query, type="get" if inside is None else "set"))
    assert answer.get("type") == "result", answer
    if inside is not None:
        return []
    assert answer.first is not None
    assert answer.first.first is not None
    return [str(child).replace(f" xmlns='{OLD}'", "") for child in answer.first.first.elements()]


def old(room: str, name: str = "Name", **others: str) -> str:
    nick = f"<nick>{others.pop('nick')}</nick>" if "nick" in others else ""
    more = "".join(f" {key}='{value}'" for key, value in others.items())
    end = f">{nick}</conference>" if nick else "/>"
    return f"<conference jid='{room}' name='{name}'{more}{end}"


async def add(people: Any, client: TestClient, room: str, inside: str = "", name: str = "Name") -> None:
    conference = f"<conference xmlns='{NEW}' name='{name}' autojoin='1'>{inside}</conference>"
    options = people.options(
        persist_items="true", max_items="max", send_last_published_item="never", access_model="whitelist"
    )
    assert (
        await people.do(client, f"<publish node='{NEW}'><item id='{room}'>{conference}</item></publish>{options}") == ""
    )


async def get(people: Any, client: TestClient) -> dict[str, Conference]:
    answer = await people.ask(client, f"<items node='{NEW}'/>")
    return {item.get("id"): Conference.parse(item.first) for item in answer.first.first.elements()}


async def in_old_node(people: Any, client: TestClient) -> list[str]:
    answer = await people.ask(client, f"<items node='{OLD}'/>")
    (item,) = answer.first.first.elements()
    return [conference.get("jid") for conference in item.first.elements("conference")]


async def test_new_bookmarks_are_seen_by_old_clients(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, NEW, OLD)
        await add(people, juliet, PLAY, "<nick>JC</nick>")
        events = await people.told(juliet)
        assert [event.items.node for event in events] == [NEW, OLD]
        assert await private(juliet) == [
            f"<conference jid='{PLAY}' name='Name' autojoin='true'><nick>JC</nick></conference>"
        ]
        await add(people, juliet, ORCHARD)
        assert await in_old_node(people, juliet) == [PLAY, ORCHARD]
        assert await people.do(juliet, f"<retract node='{NEW}' notify='1'><item id='{PLAY}'/></retract>") == ""
        assert await in_old_node(people, juliet) == [ORCHARD]
        assert len(await private(juliet)) == 1
        assert await people.told(romeo) == []
        for node in NEW, OLD:
            assert await people.items(romeo, node, to="juliet@localhost") == "not-allowed closed-node"


async def test_private_storage_changes_what_has_changed(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, _ = await friends(server, NEW, OLD)
        extensions = "<extensions><state xmlns='http://myclient.example/' minimized='true'/></extensions>"
        await add(people, juliet, PLAY, extensions)
        await add(people, juliet, ORCHARD)
        await people.told(juliet)
        changed = old(PLAY, "The Play", autojoin="1", nick="JC")
        await private(juliet, changed + old("street@conference.localhost", autojoin="false") + URL)
        told = {(event.items.node, item.id) for event in await people.told(juliet) for item in event.items.items}
        assert told == {(NEW, PLAY), (NEW, "street@conference.localhost"), (OLD, "current")}
        found = await get(people, juliet)
        assert found.keys() == {PLAY, "street@conference.localhost"}
        assert (found[PLAY].name, found[PLAY].autojoin, found[PLAY].nick) == ("The Play", True, "JC")
        kept = found[PLAY].extensions  # which the old client knew nothing of
        assert kept is not None
        assert len(kept.elements) == 1
        assert URL in await private(juliet)
        await private(juliet, changed + old("street@conference.localhost") + URL)  # the same again
        assert await people.told(juliet) == []


@pytest.mark.parametrize("inside", [old("not@@a jid"), "<conference name='x'/>", ""])
async def test_what_is_no_bookmark_is_left_out(people: Any, inside: str) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await private(juliet, inside + old(f"{PLAY}/JC"))
        assert (await get(people, juliet)).keys() == {PLAY}


async def test_the_old_node(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, NEW, OLD)
        storage = f"<storage xmlns='{OLD}'>{old(PLAY)}{old(ORCHARD)}</storage>"
        xml = f"<publish node='{OLD}'><item id='current'>{storage}</item></publish>"
        options = people.options(persist_items="true", access_model="whitelist")
        assert await people.do(juliet, xml + options) == ""
        assert (await get(people, juliet)).keys() == {PLAY, ORCHARD}
        assert await people.told(romeo) == []
        assert len(await private(juliet)) == 2
        assert await people.do(juliet, xml.replace(old(PLAY), "") + options) == ""
        assert (await get(people, juliet)).keys() == {ORCHARD}


async def test_bookmarks_from_before_are_taken_over(people: Any, tmp_path: Path) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        juliet = await server.client("juliet")
        await private(juliet, old(PLAY) + URL)
    async with serve(data=tmp_path) as server:
        juliet, romeo = await server.client("juliet"), await server.client("romeo")
        assert await people.items(romeo, NEW, to="juliet@localhost") == "not-authorized presence-subscription-required"
        assert (await get(people, juliet)).keys() == {PLAY}
        assert await in_old_node(people, juliet) == [PLAY]
        assert await private(juliet) == [f"<conference jid='{PLAY}' name='Name'/>", URL]
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        await private(juliet, URL)
        assert await get(people, juliet) == {}


async def test_bookmarks_from_before_that_a_new_one_is_added_to(people: Any, tmp_path: Path) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        await private(await server.client("juliet"), old(PLAY))
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        await add(people, juliet, ORCHARD)
        assert (await get(people, juliet)).keys() == {PLAY, ORCHARD}


async def test_bookmarks_from_before_in_the_old_node(people: Any, tmp_path: Path) -> None:
    """As they come from servers that leave them there."""
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        juliet = await server.client("juliet")
        await private(juliet, old("street@conference.localhost") + URL)
        storage = f"<storage xmlns='{OLD}'>{old(PLAY)}</storage>"
        xml = f"<publish node='{OLD}'><item id='current'>{storage}</item></publish>"
        assert await people.do(juliet, xml + people.options(access_model="whitelist")) == ""
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        await add(people, juliet, ORCHARD)
        assert (await get(people, juliet)).keys() == {PLAY, "street@conference.localhost", ORCHARD}
        assert set(await in_old_node(people, juliet)) == {PLAY, "street@conference.localhost", ORCHARD}
        assert URL in await private(juliet)


async def test_too_many(people: Any) -> None:
    async with serve({"modules": {"pubsub": {"max_bytes": 1000}, "bookmarks": {"max_at_once": 1}}}) as server:
        juliet = await server.client("juliet")
        for inside, error in (
            (old(PLAY, "x" * 1000), "resource-constraint"),
            (old(PLAY) + old(ORCHARD), "policy-violation"),
        ):
            query = Element("query", "jabber:iq:private", parse_element(f"<storage xmlns='{OLD}'>{inside}</storage>"))
            answer = await juliet.ask(Element("iq", CLIENT, query, type="set"))
            assert people.condition(answer) == error


async def test_bookmarks_from_before_that_are_too_many_stay_where_they_are(people: Any, tmp_path: Path) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        await private(await server.client("juliet"), old(PLAY) + old(ORCHARD))
    async with serve({"modules": {"bookmarks": {"max_at_once": 1}}}, data=tmp_path) as server:
        juliet = await server.client("juliet")
        assert len(await private(juliet)) == 2


async def in_old_place(people: Any, client: TestClient) -> list[str]:
    """What is in the one item of the old node."""
    answer = await people.ask(client, f"<items node='{OLD}'/>")
    (item,) = answer.first.first.elements()
    return [str(child).replace(f" xmlns='{OLD}'", "") for child in item.first.elements()]


async def publish_old(people: Any, client: TestClient, inside: str, **options: str) -> None:
    storage = f"<storage xmlns='{OLD}'>{inside}</storage>"
    xml = f"<publish node='{OLD}'><item id='current'>{storage}</item></publish>{people.options(**options)}"
    assert await people.do(client, xml) == ""


async def test_pages_that_are_bookmarked_stay_in_the_old_node(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await publish_old(people, juliet, old(PLAY) + URL, access_model="whitelist")
        assert URL in await private(juliet)
        await add(people, juliet, ORCHARD)
        assert URL in await in_old_place(people, juliet)
        await private(juliet, old(PLAY) + old(ORCHARD))  # pages are taken back
        assert len(await in_old_place(people, juliet)) == 2


async def test_the_old_node_is_made_private_before_new_bookmarks_are_in_it(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, NEW, OLD)
        await publish_old(people, juliet, old(PLAY), access_model="presence")
        assert len(await people.told(romeo)) == 1  # as its owner wanted it
        await add(people, juliet, ORCHARD, "<password>secret</password>")
        assert await people.told(romeo) == []
        assert await people.items(romeo, OLD, to="juliet@localhost") == "not-allowed closed-node"
        assert await in_old_node(people, juliet) == [PLAY, ORCHARD]


async def test_a_room_keeps_its_item_however_its_address_is_written(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, _ = await friends(server, NEW)
        extensions = "<extensions><state xmlns='http://myclient.example/' minimized='true'/></extensions>"
        await add(people, juliet, "ThePlay@Conference.localhost", extensions)
        await people.told(juliet)
        await private(juliet, old("ThePlay@Conference.localhost", "The Play", autojoin="1"))
        assert await people.told_items(juliet) == ["ThePlay@Conference.localhost"]
        ((room, bookmark),) = (await get(people, juliet)).items()
        assert (room, bookmark.name) == ("ThePlay@Conference.localhost", "The Play")
        assert bookmark.extensions is not None
        await private(juliet, "")
        assert await get(people, juliet) == {}


async def test_bookmarks_of_old_and_new_clients_that_come_from_a_server_that_kept_them_apart(
    people: Any, tmp_path: Path
) -> None:
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        juliet = await server.client("juliet")
        await private(juliet, old(PLAY, "Former name") + old("street@conference.localhost") + URL)
        await add(people, juliet, PLAY)
        await add(people, juliet, ORCHARD)
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        shown = await private(juliet)
        assert len(shown) == 4 and URL in shown
        found = await get(people, juliet)
        assert found.keys() == {PLAY, ORCHARD, "street@conference.localhost"}
        assert found[PLAY].name == "Name"
        await private(juliet, "".join(shown))  # as an old client that changes something
        assert (await get(people, juliet)).keys() == found.keys()
        await private(juliet, "".join(one for one in shown if PLAY not in one))
        assert len(await private(juliet)) == 3


async def test_the_old_node_is_there_for_who_looks_into_it(people: Any, tmp_path: Path) -> None:
    """Also where the bookmarks come from a server that has only new ones, or the node was deleted."""
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        await add(people, await server.client("juliet"), PLAY)
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        assert await in_old_node(people, juliet) == [PLAY]
        assert await people.own(juliet, f"<delete node='{OLD}'/>") == ""
        assert await in_old_node(people, juliet) == [PLAY]
        assert await people.own(juliet, f"<delete node='{NEW}'/>") == ""
        assert await in_old_node(people, juliet) == []
        assert await people.items(juliet, NEW) == "item-not-found"
        nurse = await server.client("nurse")
        assert await people.items(nurse, OLD) == "item-not-found"


async def test_what_clients_of_some_kind_keep_with_a_bookmark_stays_whoever_changes_it(
    people: Any, friends: Any
) -> None:
    own, new_one = "<minimize xmlns='gajim:bookmarks'>true</minimize>", "<state xmlns='http://myclient.example/'/>"
    async with serve() as server:
        juliet, _ = await friends(server, NEW)
        await private(juliet, old(PLAY, nick="JC").replace("</nick>", f"</nick>{own}"))
        assert own in (await private(juliet))[0]
        (bookmark,) = (await get(people, juliet)).values()
        assert bookmark.extensions is not None
        assert [str(one) for one in bookmark.extensions.elements] == [own]
        await add(people, juliet, PLAY, f"<nick>JC</nick><extensions>{own}{new_one}</extensions>")
        await people.told(juliet)
        (shown,) = await private(juliet)
        await private(juliet, shown)
        await private(juliet, shown.replace(new_one, ""))  # its client doesn't know what that is
        assert await people.told(juliet) == []
        await private(juliet, shown.replace("true</minimize>", "false</minimize>"))
        (bookmark,) = (await get(people, juliet)).values()
        assert bookmark.extensions is not None
        assert [str(one) for one in bookmark.extensions.elements] == [own.replace("true", "false"), new_one]


async def test_many_changes_at_once_are_collated_together(people: Any) -> None:
    """Each collation reads all bookmarks: as many at once as an account has clients would hold everybody up."""
    rooms = [f"room{number}@conference.localhost" for number in range(12)]
    async with serve() as server:
        clients = [await server.client(f"juliet/{number}") for number in range(len(rooms))]
        await add(people, clients[0], PLAY)
        published: list[Change] = []
        server.server.hosts["localhost"].module(PersonalEventing).observe(OLD, published.append)
        await asyncio.gather(*[add(people, client, room) for client, room in zip(clients, rooms, strict=True)])
        assert len(published) < len(rooms)
        assert sorted(await in_old_node(people, clients[0])) == sorted([PLAY, *rooms])


async def test_an_old_node_that_stores_nothing(people: Any, tmp_path: Path) -> None:
    """As it comes from Prosody."""
    without = {"hosts": {"localhost": {"modules_disabled": ["bookmarks"]}}}
    async with serve(without, data=tmp_path) as server:
        juliet = await server.client("juliet")
        await publish_old(people, juliet, "", persist_items="false", access_model="whitelist")
        await add(people, juliet, PLAY)
        await publish_old(people, await server.client("nurse"), "", persist_items="false", access_model="whitelist")
    async with serve(data=tmp_path) as server:
        juliet, nurse = await server.client("juliet"), await server.client("nurse")
        while server.server._tasks:
            await juliet.settle()
        assert await in_old_node(people, juliet) == [PLAY]
        await add(people, juliet, ORCHARD)
        assert await in_old_node(people, juliet) == [PLAY, ORCHARD]
        assert await people.items(nurse, OLD) == []  # she had none, and keeps what she has from now on
        await publish_old(people, nurse, old(PLAY), persist_items="true", access_model="whitelist")
        assert (await get(people, nurse)).keys() == {PLAY}
