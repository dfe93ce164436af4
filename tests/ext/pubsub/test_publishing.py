"""Publishing items and deleting them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import StoreFull
from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.pubsub.event_payloads import Addresses
from chirrup.testing import FakeClock, serve

PAYLOAD = "<payload xmlns='urn:test'/>"


async def test_an_item_without_an_id_gets_one(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        answer = await people.ask(juliet, f"<publish node='tune'><item>{PAYLOAD}</item></publish>", kind="set")
        publish = answer.first.child("publish")
        assert publish.get("node") == "tune"
        item = publish.child("item").get("id")
        assert item
        assert await people.items(juliet, "tune") == [item]


async def test_the_answer_names_the_item_whoever_thought_of_its_id(people: Any) -> None:
    """XEP-0060 §7.1.2 wants it only for ids that the service makes; Gajim takes an answer without for a failure."""
    async with serve() as server:
        juliet = await server.client("juliet")
        answer = await people.ask(juliet, f"<publish node='tune'><item id='a'>{PAYLOAD}</item></publish>", kind="set")
        assert answer.first.child("publish").child("item").get("id") == "a"


async def test_publishing_again_replaces_the_item_and_tells_again(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        for text in "first", "second":
            assert await people.publish(juliet, "tune", "a", text) == ""
        events = await people.told(romeo)
        assert [event.items.items[0].payloads[0].text for event in events] == ["first", "second"]
        assert await people.items(romeo, "tune", to="juliet@localhost") == ["a"]


async def test_the_notification(people: Any, friends: Any) -> None:
    """XEP-0163 §4.3.1 and XEP-0060 §7.1.2."""
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a")
        message = await romeo.receive()
        assert message.get("from") == "juliet@localhost"
        assert message.get("to") == romeo.jid.text
        assert message.get("type") == "headline"
        assert message.get("id")
        replyto = Addresses.find(message)
        assert replyto is not None
        assert [(one.type, one.jid) for one in replyto.addresses] == [("replyto", juliet.jid)]


async def test_only_those_are_told_who_want_it(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "mood", "a")
        assert await people.told(juliet) == await people.told(romeo) == []
        phone = await server.client("romeo/phone")
        await people.become_available(phone, "mood")
        assert await people.item_arrives(phone) == "mood a"
        await people.publish(juliet, "mood", "b")
        assert await people.told_items(phone) == ["b"]
        assert await people.told(romeo) == []


async def test_one_way_presence_is_not_enough_to_be_told(people: Any) -> None:
    async with serve() as server:
        juliet, nurse = await server.client("juliet"), await server.client("nurse")
        for client in juliet, nurse:
            await people.become_available(client, "tune")
        juliet.send("<presence type='subscribed' to='nurse@localhost'/>")
        await juliet.settle()
        nurse.send("<presence type='subscribe' to='juliet@localhost'/>")
        await nurse.settle()
        await people.publish(juliet, "tune", "a")
        assert await people.told(nurse) == []
        assert await people.items(nurse, "tune", to="juliet@localhost") == ["a"]


WRONG = [
    ("<publish><item><payload xmlns='urn:test'/></item></publish>", "bad-request nodeid-required"),
    ("<publish node='tune'/>", "bad-request item-required"),
    ("<publish node='tune'><item/></publish>", "bad-request payload-required"),
    (f"<publish node='tune'><item>{PAYLOAD}{PAYLOAD}</item></publish>", "bad-request invalid-payload"),
    (f"<publish node='tune'><item>{PAYLOAD}</item><item>{PAYLOAD}</item></publish>", "bad-request invalid-payload"),
    (f"<publish node='tune'><item id=''>{PAYLOAD}</item></publish>", "not-acceptable"),
    (f"<publish node='tune'><item id='{'a' * 600}'>{PAYLOAD}</item></publish>", "not-acceptable"),
    (f"<publish node='{'a' * 600}'><item>{PAYLOAD}</item></publish>", "not-acceptable"),
    (f"<publish node='tune'><item>{PAYLOAD}</item></publish><publish-options/>", "bad-request invalid-options"),
    ("<retract node='none'><item id='a'/></retract>", "item-not-found"),
    ("<retract><item id='a'/></retract>", "bad-request nodeid-required"),
    ("<nonsense/>", "bad-request"),
    ("", "bad-request"),
    ("<options node='tune' jid='juliet@localhost'/>", "feature-not-implemented unsupported"),
]


async def test_what_cannot_be_done(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        for inside, error in WRONG:
            assert await people.do(juliet, inside) == error, inside
        assert await people.items(juliet, "tune") == "item-not-found"


async def test_what_is_not_supported_is_named() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        pubsub = Element("pubsub", "http://jabber.org/protocol/pubsub", Element("options", node="tune"))
        error = read_error(await juliet.ask(Element("iq", CLIENT, pubsub, type="set")))
        assert error.app_attributes == {"feature": "subscription-options"}


# -- deleting


@pytest.mark.parametrize(("notify", "told"), [("true", ["-a"]), ("1", ["-a"]), ("false", []), (None, [])])
async def test_retracting(people: Any, friends: Any, notify: str | None, told: list[str]) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a")
        await people.told(romeo)
        attribute = "" if notify is None else f" notify='{notify}'"
        assert await people.do(juliet, f"<retract node='tune'{attribute}><item id='a'/></retract>") == ""
        assert await people.told_items(romeo) == told
        assert await people.items(juliet, "tune") == []
        assert await people.do(juliet, "<retract node='tune'><item id='a'/></retract>") == "item-not-found"
        assert await people.do(juliet, "<retract node='tune'/>") == "bad-request item-required"
        assert await people.do(juliet, "<retract node='tune'><item/></retract>") == "bad-request item-required"


# -- how many, how large


async def test_one_item_is_kept_unless_the_node_says_otherwise(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, _ = await friends(server)
        for item in "abc":
            await people.publish(juliet, "tune", item)
            await people.publish(juliet, "notes", item, max_items="2")
            await people.publish(juliet, "all", item, max_items="max")
        assert await people.items(juliet, "tune") == ["c"]
        assert await people.items(juliet, "notes") == ["b", "c"]
        assert await people.items(juliet, "all") == ["a", "b", "c"]


async def test_a_node_that_refuses_what_is_too_many(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        options = {"max_items": "1", "publish_node_full": "reject"}
        assert await people.publish(juliet, "tune", "a", **options) == ""
        assert await people.publish(juliet, "tune", "b", **options) == "conflict node-full"
        assert await people.publish(juliet, "tune", "a", **options) == ""
        assert await people.items(juliet, "tune") == ["a"]


async def test_limits(people: Any) -> None:
    limits = {"max_nodes": 2, "max_items": 3, "max_item_bytes": 1000, "max_bytes": 4000}
    async with serve({"modules": {"pubsub": limits}}) as server:
        juliet = await server.client("juliet")
        assert await people.publish(juliet, "a", "1", "x" * 1000) == "not-acceptable payload-too-big"
        assert await people.publish(juliet, "a", "1", "x" * 900, max_items="max") == ""
        assert await people.publish(juliet, "a", "2", "x" * 900, max_items="10") == ""
        assert await people.publish(juliet, "a", "3", "x" * 900) == "resource-constraint"
        assert await people.items(juliet, "a") == ["1", "2"]
        for item in "3456":
            assert await people.publish(juliet, "a", item, "") == ""
        assert await people.items(juliet, "a") == ["4", "5", "6"]
        assert await people.publish(juliet, "b", "1") == ""
        assert await people.publish(juliet, "c", "1") == "resource-constraint"
        assert await people.publish(juliet, "b", "1", max_payload_size="10") == "conflict precondition-not-met"


async def test_a_node_that_failed_to_be_made_is_not_there(people: Any) -> None:
    async with serve({"modules": {"pubsub": {"max_bytes": 1000}}}) as server:
        juliet = await server.client("juliet")
        assert await people.publish(juliet, "tune", "a", "x" * 1000) == "resource-constraint"
        assert await people.items(juliet, "tune") == "item-not-found"
        assert await people.publish(juliet, "tune", "a", "x", access_model="whitelist") == ""


async def test_items_that_expire(people: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        juliet = await server.client("juliet")
        await people.publish(juliet, "tune", "a", item_expire="60", max_items="max")
        clock.advance(50)
        await people.publish(juliet, "tune", "b")
        assert await people.items(juliet, "tune") == ["a", "b"]
        clock.advance(30)
        assert await people.items(juliet, "tune") == ["b"]
        assert await people.items(juliet, "tune", "<item id='a'/>") == []


async def test_pages_without_what_has_expired(people: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        juliet = await server.client("juliet")
        for item in "abc":
            await people.publish(juliet, "tune", item, item_expire="60", max_items="max")
        clock.advance(50)
        for item in "de":
            await people.publish(juliet, "tune", item)
        clock.advance(30)
        page = "<items node='tune'/><set xmlns='http://jabber.org/protocol/rsm'><max>2</max></set>"
        answer = await people.ask(juliet, page)
        assert [item.get("id") for item in answer.first.child("items").elements()] == ["d", "e"]
        told = answer.first.child("set", "http://jabber.org/protocol/rsm")
        assert (told.child_text("count"), told.child("first").get("index")) == ("2", "0")
        query = Element("query", "http://jabber.org/protocol/disco#items", node="tune")
        listed = await juliet.ask(Element("iq", CLIENT, query, type="get", to="juliet@localhost"))
        assert [item.get("name") for item in listed.first.elements()] == ["d", "e"]


# -- options


async def test_options_are_the_configuration_of_a_new_node_and_preconditions_of_an_old_one(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        private = {"access_model": "whitelist", "persist_items": "true", "max_items": "max"}
        assert await people.publish(juliet, "notes", "a", **private) == ""
        assert await people.publish(juliet, "notes", "b", **private) == ""
        assert await people.publish(juliet, "notes", "c", max_items="2000") == ""  # what "max" comes to
        assert await people.publish(juliet, "notes", "d", access_model="open") == "conflict precondition-not-met"
        assert await people.publish(juliet, "notes", "d", max_items="1") == "conflict precondition-not-met"
        assert await people.publish(juliet, "notes", "d", nonsense="1") == "not-acceptable invalid-options"
        assert await people.publish(juliet, "notes", "d", access_model="none") == (
            "not-acceptable unsupported-access-model"
        )
        assert await people.items(juliet, "notes") == ["a", "b", "c"]


async def test_nodes_that_store_nothing(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune", "ping")
        assert await people.publish(juliet, "tune", "a", persist_items="false") == ""
        assert await people.told_items(romeo) == ["a"]
        assert await people.items(juliet, "tune") == "feature-not-implemented unsupported"
        assert await people.do(juliet, "<retract node='tune'><item id='a'/></retract>") == (
            "feature-not-implemented unsupported"
        )
        quiet = people.options(persist_items="false", deliver_payloads="false")
        assert await people.do(juliet, f"<publish node='ping'/>{quiet}") == ""
        (event,) = await people.told(romeo)
        assert (event.items.node, event.items.items) == ("ping", ())
        assert await people.publish(juliet, "ping", "a") == "bad-request item-forbidden"


async def test_nodes_that_tell_without_the_payload(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a", deliver_payloads="false")
        (event,) = await people.told(romeo)
        assert [(one.id, one.payloads) for one in event.items.items] == [("a", ())]
        await people.publish(juliet, "mute", "a", deliver_notifications="false")
        assert await people.told(romeo) == []


async def test_payloads_of_another_namespace(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        assert await people.publish(juliet, "tune", "a", type="urn:other") == "bad-request invalid-payload"
        assert await people.publish(juliet, "tune", "a", type="urn:test") == ""


async def test_who_published_it(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        forged = "<publish node='tune'><item id='a' publisher='nurse@localhost'><payload xmlns='urn:test'/></item>"
        options = people.options(itemreply="publisher")
        assert await people.do(juliet, f"{forged}</publish>{options}") == ""
        (event,) = await people.told(romeo)
        assert event.items.items[0].publisher == "juliet@localhost"
        answer = await people.ask(romeo, "<items node='tune'/>", to="juliet@localhost")
        assert answer.first.child("items").child("item").get("publisher") == "juliet@localhost"


async def test_messages_of_type_normal(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a", notification_type="normal")
        assert (await romeo.receive()).get("type") in ("", "normal")


async def test_what_was_acknowledged_is_there_after_a_restart(people: Any, friends: Any, tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a", "hello")
        await people.publish(juliet, "notes", "b", access_model="whitelist")
        await people.do(romeo, "<subscribe node='tune' jid='romeo@localhost'/>", to="juliet@localhost")
        await people.own(juliet, "<affiliations node='notes'><affiliation jid='nurse@localhost' affiliation='member'/>"
                                 "</affiliations>")  # fmt: skip
    async with serve(data=tmp_path) as server:
        juliet, romeo = await server.client("juliet"), await server.client("romeo")
        nurse = await server.client("nurse")
        answer = await people.ask(romeo, "<items node='tune'/>", to="juliet@localhost")
        assert answer.first.child("items").child("item").first.text == "hello"
        assert await people.items(romeo, "notes", to="juliet@localhost") == "not-allowed closed-node"
        assert await people.items(nurse, "notes", to="juliet@localhost") == ["b"]
        answer = await people.ask(romeo, "<subscriptions/>", to="juliet@localhost")
        assert [one.get("node") for one in answer.first.first.elements()] == ["tune"]


async def test_what_an_account_had_is_not_for_the_next_one_of_its_name(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, _ = await friends(server)
        await people.publish(juliet, "tune", "a")
        await server.server.hosts["localhost"].remove_account("juliet")
        again = await server.client("juliet")
        assert await people.items(again, "tune") == "item-not-found"


async def test_what_could_not_be_stored_is_not_there_and_nobody_is_told(
    people: Any, friends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        store = server.server.store
        submit = store.submit

        def fail(op: Any, *, size: int = 0) -> Any:
            def full(connection: Any) -> None:
                op(connection)
                raise StoreFull("no room left on the device")

            return submit(full, size=size)

        monkeypatch.setattr(store, "submit", fail)
        assert await people.publish(juliet, "tune", "a") == "internal-server-error"
        monkeypatch.undo()
        assert await people.told(romeo) == []
        assert await people.items(juliet, "tune") == "item-not-found"
        assert await people.publish(juliet, "tune", "b", access_model="open") == ""
        assert await people.told_items(romeo) == ["b"]


async def test_one_that_fails_takes_nothing_of_another_back(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory is read again after a failure, but not before everything else has been stored."""
    async with serve({"modules": {"pubsub": {"max_bytes": 1000}}}) as server:
        juliet, chamber = await server.client("juliet/balcony"), await server.client("juliet/chamber")
        nodes, go_on, asked = server.server.store.pubsub.nodes, asyncio.Event(), asyncio.Event()

        async def slowly(owner: str) -> Any:
            found = await nodes(owner)
            if not asked.is_set():
                asked.set()
                await go_on.wait()
            return found

        monkeypatch.setattr(server.server.store.pubsub, "nodes", slowly)
        failing = asyncio.create_task(people.publish(juliet, "tune", "a", "x" * 600))
        await asked.wait()  # it has failed, and what the store has is on its way
        assert await people.do(chamber, "<create node='notes'/>") == ""
        go_on.set()
        assert await failing == "resource-constraint"
        assert await people.do(chamber, "<create node='notes'/>") == "conflict"


async def test_nothing_is_stored_for_an_account_that_is_being_removed(people: Any, monkeypatch: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        await people.publish(juliet, "wall", "a", access_model="open", publish_model="open")
        accounts = server.server.store.accounts
        remove, answers = accounts.remove, []

        async def slowly(host: str, local: str) -> Any:
            await remove(host, local)
            answers.append(await people.publish(tybalt, "wall", "b", to="juliet@localhost"))

        monkeypatch.setattr(accounts, "remove", slowly)
        await server.server.hosts["localhost"].remove_account("juliet")
        assert answers == ["forbidden"]
        juliet = await server.client("juliet")
        assert await people.items(juliet, "wall") == "item-not-found"


@pytest.mark.parametrize("reply", ["none", "owner"])
async def test_nodes_that_do_not_tell_who_published(people: Any, reply: str) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        assert await people.publish(juliet, "tune", "a", itemreply=reply) == ""
        answer = await people.ask(juliet, "<items node='tune'/>")
        assert "publisher" not in str(answer)
