"""What becomes of subscribers, and of those who want to hear, when access to a node changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient, TestServer, serve

JULIET = "juliet@localhost"
OWNER = "http://jabber.org/protocol/pubsub#owner"


async def put_into_group(client: TestClient, jid: str, *groups: str) -> None:
    item = Element("item", "jabber:iq:roster", *(Element("group", "", group) for group in groups), jid=jid)
    await client.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster", item), type="set"))


async def configure(people: Any, client: TestClient, node: str, **options: str) -> str:
    form = people.options(f"{people.NS}#node_config", "configure", **options)
    return str(await people.own(client, form.replace("<configure>", f"<configure node='{node}'>")))


async def subscribers(people: Any, client: TestClient, node: str) -> dict[str, str]:
    answer = await people.ask(client, f"<subscriptions node='{node}'/>", ns=OWNER)
    return {one.get("jid"): one.get("subscription") for one in answer.first.first.elements()}


async def subscribe(people: Any, client: TestClient, node: str) -> str:
    jid = client.jid.bare
    answer = await people.ask(client, f"<subscribe node='{node}' jid='{jid}'/>", kind="set", to=JULIET)
    return str(answer.first.child("subscription").get("subscription"))


async def test_who_is_moved_out_of_a_group_loses_the_subscription(people: Any, friends: Any) -> None:
    """XEP-0163 §8.1."""
    async with serve() as server:
        juliet, romeo = await friends(server)
        await put_into_group(juliet, "romeo@localhost", "Friends")
        await people.publish(juliet, "tune", "a", access_model="roster", roster_groups_allowed="Friends")
        assert await subscribe(people, romeo, "tune") == "subscribed"
        assert await people.item_arrives(romeo) == "tune a"
        await put_into_group(juliet, "romeo@localhost", "Friends", "Montagues")
        assert await subscribers(people, juliet, "tune") == {"romeo@localhost": "subscribed"}
        await put_into_group(juliet, "romeo@localhost", "Montagues")
        event = await people.arrives(romeo)
        assert event.subscription is not None
        assert (event.subscription.node, event.subscription.subscription) == ("tune", "none")
        assert await subscribers(people, juliet, "tune") == {}


async def test_a_node_that_is_closed_ends_the_subscriptions(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt", presence=True)
        await people.publish(juliet, "tune", "a", access_model="open", send_last_published_item="never")
        assert await subscribe(people, tybalt, "tune") == "subscribed"
        assert await configure(people, juliet, "tune", title="Tunes") == ""
        assert await subscribers(people, juliet, "tune") == {"tybalt@localhost": "subscribed"}
        assert await configure(people, juliet, "tune", access_model="whitelist") == ""
        assert await subscribers(people, juliet, "tune") == {}
        event = await people.arrives(tybalt)
        assert event.subscription is not None
        assert event.subscription.subscription == "none"


async def test_who_may_read_from_now_on_gets_the_last_item(people: Any, friends: Any) -> None:
    """XEP-0060 §12.2."""
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a", access_model="whitelist")
        assert await people.told_items(romeo) == []
        listed = "<affiliation jid='romeo@localhost' affiliation='member'/>"
        assert await people.own(juliet, f"<affiliations node='tune'>{listed}</affiliations>") == ""
        assert await people.item_arrives(romeo) == "tune a"
        assert await people.told_items(juliet) == ["a"]  # only when it was published
        assert await configure(people, juliet, "tune", access_model="presence") == ""
        assert await people.told_items(romeo) == []  # who could read it before


async def test_a_subscription_that_waits_when_the_node_is_opened(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet", presence=True), await server.client("tybalt", presence=True)
        await people.publish(juliet, "tune", "a", access_model="authorize")
        assert await subscribe(people, tybalt, "tune") == "pending"
        await configure(people, juliet, "tune", access_model="open")
        assert await subscribe(people, tybalt, "tune") == "subscribed"
        assert await people.item_arrives(tybalt) == "tune a"
        await people.publish(juliet, "tune", "b")
        assert await people.told_items(tybalt) == ["b"]


async def test_who_waits_for_approval_is_told_that_the_node_is_gone(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt", presence=True)
        await people.publish(juliet, "tune", "a", access_model="authorize")
        assert await subscribe(people, tybalt, "tune") == "pending"
        assert await people.own(juliet, "<delete node='tune'/>") == ""
        event = await people.arrives(tybalt)
        assert event.delete is not None


async def test_the_accounts_owner_is_asked_also_where_others_own_the_node(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet", presence=True), await server.client("tybalt")
        romeo = await server.client("romeo", presence=True)
        await people.publish(juliet, "tune", "a", access_model="authorize", notify_sub="true")
        listed = "<affiliation jid='romeo@localhost' affiliation='owner'/>"
        await people.own(juliet, f"<affiliations node='tune'>{listed}</affiliations>")
        assert await subscribe(people, tybalt, "tune") == "pending"
        for owner, forms in (juliet, 1), (romeo, 0):  # who can answer with the form
            assert [event.subscription is not None for event in await people.told(owner)] == [True]
            asked = [one for one in owner.received if one.child("x", "jabber:x:data") is not None]
            assert len(asked) == forms
        change = "<subscriptions node='tune'><subscription jid='tybalt@localhost' subscription='subscribed'/>"
        assert await people.own(romeo, f"{change}</subscriptions>", to=JULIET) == ""
        assert await people.items(tybalt, "tune", to=JULIET) == ["a"]


@pytest.mark.parametrize("restart", [False, True])
async def test_an_account_that_is_removed_leaves_nothing_to_the_next_one_of_its_name(
    people: Any, tmp_path: Path, restart: bool
) -> None:
    async with serve(data=tmp_path) as server:
        juliet, romeo = await server.client("juliet"), await server.client("romeo")
        await server.add_account("romeos")
        listed = "".join(
            f"<affiliation jid='{name}@localhost' affiliation='member'/>" for name in ("romeo", "romeos", "nurse")
        )
        await people.publish(juliet, "notes", "a", access_model="whitelist")
        assert await people.own(juliet, f"<affiliations node='notes'>{listed}</affiliations>") == ""
        for jid in "romeo@localhost", "romeo@localhost/orchard":
            assert await people.do(romeo, f"<subscribe node='notes' jid='{jid}'/>", to=JULIET) == ""
        await server.server.hosts["localhost"].remove_account("romeo")
        if not restart:
            await check_what_romeo_left(people, server)
    if restart:
        async with serve(data=tmp_path) as server:
            await check_what_romeo_left(people, server)


async def check_what_romeo_left(people: Any, server: TestServer) -> None:
    juliet, romeo = await server.client("juliet/nook"), await server.client("romeo")
    assert await people.items(romeo, "notes", to=JULIET) == "not-authorized presence-subscription-required"
    assert await subscribers(people, juliet, "notes") == {}
    answer = await people.ask(juliet, "<affiliations node='notes'/>", ns=OWNER)
    assert [one.get("jid") for one in answer.first.first.elements()] == [JULIET, "nurse@localhost", "romeos@localhost"]


@pytest.mark.parametrize("what", ["affiliations", "subscriptions"])
async def test_how_many_may_have_to_do_with_all_nodes(people: Any, what: str) -> None:
    async with serve({"modules": {"pubsub": {"max_involved": 3}}}) as server:
        juliet = await server.client("juliet")
        one = {
            "affiliations": "<affiliation jid='{}@localhost' affiliation='member'/>",
            "subscriptions": "<subscription jid='juliet@localhost/{}' subscription='subscribed'/>",
        }[what]
        await people.publish(juliet, "tune", "a")
        await people.publish(juliet, "mood", "a")
        both = one.format("a") + one.format("b")
        assert await people.own(juliet, f"<{what} node='tune'>{both}</{what}>") == ""
        assert (await people.own(juliet, f"<{what} node='mood'>{both}</{what}>")).split()[0] in (
            "resource-constraint",
            "policy-violation",
        )
        assert await people.own(juliet, f"<{what} node='mood'>{one.format('a')}</{what}>") == ""
        assert await people.own(juliet, f"<{what} node='mood'>{one.format('a')}</{what}>") == ""  # nothing new
