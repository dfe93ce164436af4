"""What owners do with their nodes."""

from __future__ import annotations

from typing import Any

from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import NODE_CONFIG
from chirrup.testing import TestClient, serve

OWNER = "http://jabber.org/protocol/pubsub#owner"


async def form(people: Any, client: TestClient, xml: str) -> Form:
    answer = await people.ask(client, xml, ns=OWNER)
    assert answer.get("type") == "result", answer
    found = Form.find(answer.first.first)
    assert found is not None
    assert found.form_type == NODE_CONFIG
    return found


def configure(people: Any, node: str, **values: str) -> str:
    submitted: str = people.options(NODE_CONFIG, "configure", **values)
    return submitted.replace("<configure>", f"<configure node='{node}'>")


async def test_creating_a_node(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        assert await people.do(juliet, "<create node='tune'/>") == ""
        assert await people.do(juliet, "<create node='tune'/>") == "conflict"
        assert await people.items(juliet, "tune") == []
        created = people.options(NODE_CONFIG, "configure", access_model="whitelist", max_items="7")
        assert await people.do(juliet, f"<create node='notes'/>{created}") == ""
        told = await form(people, juliet, "<configure node='notes'/>")
        assert (told.values("pubsub#access_model"), told.values("pubsub#max_items")) == (("whitelist",), ("7",))
        other = created.replace("<configure>", "<configure node='other'>")
        assert await people.do(juliet, f"<create node='more'/>{other}") == "bad-request"
        answer = await people.ask(juliet, "<create/>", kind="set")
        name = answer.first.child("create").get("node")
        assert await people.items(juliet, name) == []


async def test_the_defaults_of_personal_eventing(people: Any) -> None:
    """XEP-0163 §5."""
    async with serve() as server:
        juliet = await server.client("juliet")
        told = await form(people, juliet, "<default/>")
        assert told.type == "form"
        for name, value in (
            ("access_model", "presence"),
            ("deliver_notifications", "true"),
            ("deliver_payloads", "true"),
            ("send_last_published_item", "on_sub_and_presence"),
            ("notification_type", "headline"),
            ("persist_items", "true"),
        ):
            assert told.values(f"pubsub#{name}") == (value,), name
        access = told.field("pubsub#access_model")
        assert access is not None
        assert {option.value for option in access.options} == {"authorize", "open", "presence", "roster", "whitelist"}
        collection = await people.ask(juliet, "<default type='collection'/>", ns=OWNER)
        assert people.condition(collection) == "feature-not-implemented unsupported"


async def test_configuring(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        for item in "abc":
            await people.publish(juliet, "tune", item, max_items="max")
        await people.told(romeo)
        change = configure(people, "tune", max_items="2", title="Music", notify_config="true")
        assert await people.own(juliet, change) == ""
        assert await people.items(juliet, "tune") == ["b", "c"]
        (event,) = await people.told(romeo)
        assert event.configuration.node == "tune"
        assert event.configuration.form.values("pubsub#title") == ("Music",)
        assert (await form(people, juliet, "<configure node='tune'/>")).values("pubsub#title") == ("Music",)
        assert await people.own(juliet, configure(people, "tune", access_model="whitelist")) == ""
        assert await people.items(romeo, "tune", to="juliet@localhost") == "not-allowed closed-node"
        cancel = "<configure node='tune'><x xmlns='jabber:x:data' type='cancel'/></configure>"
        assert await people.own(juliet, cancel) == ""


WRONG: list[tuple[dict[str, str], str]] = [
    ({"access_model": "everybody"}, "not-acceptable unsupported-access-model"),
    ({"max_items": "many"}, "not-acceptable invalid-options"),
    ({"max_items": "0"}, "not-acceptable invalid-options"),
    ({"max_items": "١٢"}, "not-acceptable invalid-options"),
    ({"persist_items": "perhaps"}, "not-acceptable invalid-options"),
    ({"node_type": "collection"}, "not-acceptable invalid-options"),
    ({"purge_offline": "true"}, "not-acceptable invalid-options"),
    ({"title": "x" * 2000}, "not-acceptable invalid-options"),
    ({"roster_groups_allowed": ",".join(["x" * 1000] * 9)}, "not-acceptable invalid-options"),
]


async def test_what_a_configuration_cannot_be(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await people.publish(juliet, "tune", "a")
        for values, error in WRONG:
            assert await people.own(juliet, configure(people, "tune", **values)) == error, values
        assert await people.own(juliet, "<configure node='tune'/>") == "bad-request"
        assert await people.own(juliet, configure(people, "none", title="x")) == "item-not-found"


async def test_fields_that_are_not_known_are_ignored(people: Any) -> None:
    """XEP-0004, Form Types; fields of publishing options are preconditions (XEP-0060 §7.1.5)."""
    async with serve() as server:
        juliet = await server.client("juliet")
        created = people.options(NODE_CONFIG, "configure", access_model="open", nonsense="1")
        assert await people.do(juliet, f"<create node='tune'/>{created}") == ""
        assert await people.own(juliet, configure(people, "tune", nonsense="1", title="Music")) == ""
        now = await form(people, juliet, "<configure node='tune'/>")
        assert (now.values("pubsub#title"), now.values("pubsub#access_model")) == (("Music",), ("open",))
        assert await people.publish(juliet, "tune", "a", nonsense="1") == "not-acceptable invalid-options"


async def test_deleting_and_purging(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        await people.publish(juliet, "tune", "a")
        await people.told(romeo)
        assert await people.own(juliet, "<purge node='tune'/>") == ""
        assert [event.purge.node for event in await people.told(romeo)] == ["tune"]
        assert await people.items(juliet, "tune") == []
        redirect = "<redirect uri='xmpp:juliet@localhost?;node=music'/>"
        assert await people.own(juliet, f"<delete node='tune'>{redirect}</delete>") == ""
        (event,) = await people.told(romeo)
        assert (event.delete.node, event.delete.redirect.uri) == ("tune", "xmpp:juliet@localhost?;node=music")
        for gone in "<delete node='tune'/>", "<purge node='tune'/>":
            assert await people.own(juliet, gone) == "item-not-found"
        assert await people.own(juliet, "<delete/>") == "bad-request nodeid-required"
        await people.publish(juliet, "tune", "b")
        assert await people.items(juliet, "tune") == ["b"]


async def test_affiliations(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        await people.publish(juliet, "tune", "a")
        one = "<affiliation jid='{}' affiliation='{}'/>"
        change = "<affiliations node='tune'>{}</affiliations>"

        async def listed() -> list[tuple[str, str]]:
            answer = await people.ask(juliet, "<affiliations node='tune'/>", ns=OWNER)
            elements: list[Element] = list(answer.first.first.elements())
            return [(element.get("jid"), element.get("affiliation")) for element in elements]

        assert await people.own(juliet, change.format(one.format("romeo@localhost/orchard", "member"))) == ""
        assert await listed() == [("juliet@localhost", "owner"), ("romeo@localhost", "member")]
        assert await people.own(juliet, change.format(one.format("romeo@localhost", "none"))) == ""
        assert await listed() == [("juliet@localhost", "owner")]
        for wrong in (
            one.format("juliet@localhost", "none"),
            one.format("romeo@localhost", "friend"),
            one.format("nurse@localhost", "member") + one.format("juliet@localhost", "outcast"),
        ):
            assert await people.own(juliet, change.format(wrong)) == "not-acceptable"
        twice = one.format("romeo@localhost", "member") + one.format("romeo@localhost/a", "none")
        assert await people.own(juliet, change.format(twice)) == "bad-request"
        assert await listed() == [("juliet@localhost", "owner")]
