"""Who may read, publish and know what."""

from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient, serve

JULIET = "juliet@localhost"
NOBODY = "nobody@localhost"
STRANGER = "not-authorized presence-subscription-required"


@pytest.mark.parametrize(
    ("model", "contact", "stranger"),
    [
        ("open", ["a"], ["a"]),
        ("presence", ["a"], STRANGER),
        ("roster", "not-authorized not-in-roster-group", STRANGER),
        ("authorize", "not-authorized not-subscribed", STRANGER),
        ("whitelist", "not-allowed closed-node", STRANGER),
    ],
)
async def test_who_may_retrieve_items(people: Any, friends: Any, model: str, contact: Any, stranger: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        tybalt = await server.client("tybalt")
        await people.publish(juliet, "tune", "a", access_model=model)
        assert await people.items(juliet, "tune") == ["a"]
        assert await people.items(romeo, "tune", to=JULIET) == contact
        assert await people.items(tybalt, "tune", to=JULIET) == stranger


@pytest.mark.parametrize(
    ("model", "told"),
    [("open", True), ("presence", True), ("roster", False), ("authorize", False), ("whitelist", False)],
)
async def test_which_contacts_are_told(people: Any, friends: Any, model: str, told: bool) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune", "zodiac")
        await people.publish(juliet, "tune", "a", access_model=model)
        assert bool(await people.told(romeo)) is told
        assert await people.told(juliet)
        await people.publish(juliet, "zodiac", "z", access_model="open")
        assert await people.item_arrives(romeo) == "zodiac z"
        romeo.send("<presence type='unavailable'/>")
        await people.become_available(romeo, "tune", "zodiac")  # last items obey the same rules
        assert await people.item_arrives(romeo) == ("tune a" if told else "zodiac z")


async def test_groups_of_the_roster(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        assert await people.publish(juliet, "tune", "a", access_model="roster", roster_groups_allowed="Friends") == ""
        assert await people.told(romeo) == []
        item = Element("item", "jabber:iq:roster", Element("group", "", "Friends"), jid="romeo@localhost")
        await juliet.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster", item), type="set"))
        assert await people.items(romeo, "tune", to=JULIET) == ["a"]
        await people.publish(juliet, "tune", "b")
        assert await people.told_items(romeo) == ["b"]
        juliet.send("<presence type='unsubscribed' to='romeo@localhost'/>")  # in the group, but without presence
        await juliet.settle()
        assert await people.items(romeo, "tune", to=JULIET) == "not-authorized presence-subscription-required"


@pytest.mark.parametrize(
    ("affiliation", "reads", "publishes"),
    [
        ("member", ["a"], "forbidden"),
        ("publisher", ["a"], ""),
        ("publish-only", "forbidden", ""),
        ("outcast", "forbidden", "forbidden"),
        ("owner", ["a"], ""),
    ],
)
async def test_affiliations(people: Any, affiliation: str, reads: Any, publishes: str) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        await people.publish(juliet, "tune", "a", max_items="max", access_model="whitelist")
        listed = f"<affiliation jid='tybalt@localhost' affiliation='{affiliation}'/>"
        assert await people.own(juliet, f"<affiliations node='tune'>{listed}</affiliations>") == ""
        assert await people.items(tybalt, "tune", to=JULIET) == reads
        assert await people.publish(tybalt, "tune", "b", to=JULIET) == publishes
        assert await people.items(juliet, "tune") == (["a"] if publishes else ["a", "b"])
        retract = "<retract node='tune'><item id='{}'/></retract>"
        only_own = affiliation == "publish-only"
        assert await people.do(tybalt, retract.format("a"), to=JULIET) == ("forbidden" if only_own else publishes)
        if only_own:
            assert await people.publish(tybalt, "tune", "a", to=JULIET) == "forbidden"
            assert await people.do(tybalt, retract.format("b"), to=JULIET) == ""
        assert await people.publish(tybalt, "new", "a", to=JULIET) == "forbidden"
        delete = await people.own(tybalt, "<delete node='tune'/>", to=JULIET)
        assert delete == ("" if affiliation == "owner" else "forbidden")


@pytest.mark.parametrize(("model", "may"), [("open", ""), ("subscribers", "forbidden"), ("publishers", "forbidden")])
async def test_who_may_publish(people: Any, friends: Any, model: str, may: str) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await people.publish(juliet, "wall", "a", publish_model=model, access_model="open", max_items="max")
        assert await people.publish(romeo, "wall", "b", to=JULIET) == may
        await people.do(romeo, "<subscribe node='wall' jid='romeo@localhost'/>", to=JULIET)
        assert await people.publish(romeo, "wall", "b", to=JULIET) == ("" if model == "subscribers" else may)


async def test_who_else_has_published_is_not_told(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "wall")
        tybalt = await server.client("tybalt")
        await people.publish(juliet, "wall", "a", publish_model="open", access_model="open")
        await people.told(romeo)
        assert await people.publish(tybalt, "wall", "b", to=JULIET) == ""
        message = await romeo.receive()
        assert "tybalt" not in str(message)


# -- what strangers learn: nothing


REQUESTS = [
    ("get", "<items node='{}'/>", "pubsub"),
    ("get", "<items node='{}'><item id='a'/></items>", "pubsub"),
    ("get", "<subscriptions/>", "pubsub"),
    ("get", "<subscriptions node='{}'/>", "pubsub"),
    ("get", "<affiliations/>", "pubsub"),
    ("get", "<affiliations node='{}'/>", "pubsub"),
    ("get", "<options node='{}' jid='tybalt@localhost'/>", "pubsub"),
    ("set", "<subscribe node='{}' jid='tybalt@localhost'/>", "pubsub"),
    ("set", "<subscribe node='{}' jid='romeo@localhost'/>", "pubsub"),
    ("set", "<unsubscribe node='{}' jid='tybalt@localhost'/>", "pubsub"),
    ("set", "<unsubscribe node='{}' jid='romeo@localhost'/>", "pubsub"),
    ("set", "<publish node='{}'><item id='a'><x xmlns='y'/></item></publish>", "pubsub"),
    ("set", "<publish node='{}'/>", "pubsub"),
    ("set", "<retract node='{}'><item id='a'/></retract>", "pubsub"),
    ("set", "<create node='{}'/>", "pubsub"),
    ("get", "<configure node='{}'/>", "pubsub#owner"),
    ("get", "<default/>", "pubsub#owner"),
    ("get", "<affiliations node='{}'/>", "pubsub#owner"),
    ("get", "<subscriptions node='{}'/>", "pubsub#owner"),
    ("set", "<delete node='{}'/>", "pubsub#owner"),
    ("set", "<purge node='{}'/>", "pubsub#owner"),
    ("set", "<configure node='{}'/>", "pubsub#owner"),
]


async def test_strangers_cannot_tell_what_there_is(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        await people.publish(juliet, "tune", "a")
        await people.publish(juliet, "notes", "a", access_model="whitelist")
        await server.add_account("rosaline")
        for kind, xml, ns in REQUESTS:
            answers = set()
            for account in JULIET, "rosaline@localhost", NOBODY:
                for node in "tune", "notes", "none":
                    answer = await people.ask(
                        tybalt, xml.format(node), kind=kind, to=account, ns=f"http://jabber.org/protocol/{ns}"
                    )
                    told = "".join(map(str, answer.children)).replace(f"'{node}'", "'NODE'")
                    answers.add((answer.get("type"), told))
            assert len(answers) == 1, (xml, answers)
        assert await people.items(juliet, "tune") == await people.items(juliet, "notes") == ["a"]


async def disco(client: TestClient, what: str, to: str, node: str | None = None) -> list[str]:
    query = Element("query", f"http://jabber.org/protocol/disco#{what}", node=node)
    answer = await client.ask(Element("iq", CLIENT, query, type="get", to=to))
    if answer.get("type") != "result":
        return ["error"]
    assert answer.first is not None
    return [str(child) for child in answer.first.elements()]


async def test_service_discovery_shows_what_somebody_may_have(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        tybalt = await server.client("tybalt")
        for model in "open", "presence", "roster", "whitelist":
            await people.publish(juliet, model, "a", access_model=model, title=f"a {model} node")
        for client, visible in (juliet, 4), (romeo, 2), (tybalt, 1):
            listed = [one for one in await disco(client, "items", JULIET) if "node=" in one]
            assert len(listed) == visible
        assert "<item xmlns" in listed[0]
        assert "name='a open node'" in listed[0]
        assert len(await disco(tybalt, "items", NOBODY)) == 0
        assert await disco(tybalt, "info", JULIET, "whitelist") == await disco(tybalt, "info", NOBODY, "whitelist")
        assert any("type='leaf'" in one for one in await disco(tybalt, "info", JULIET, "open"))
        assert any("a presence node" in one for one in await disco(romeo, "info", JULIET, "presence"))
        assert await disco(romeo, "info", JULIET, "whitelist") == ["error"]
        assert any("name='a'" in one for one in await disco(romeo, "items", JULIET, "presence"))
        assert await disco(romeo, "items", JULIET, "roster") == ["error"]
        assert await disco(tybalt, "items", JULIET, "presence") == []
        account = await disco(romeo, "info", JULIET)
        for feature in "auto-create", "auto-subscribe", "filtered-notifications", "publish-options", "access-presence":
            assert any(f"pubsub#{feature}'" in one for one in account)
        for told in account, await disco(romeo, "info", "localhost"):  # XEP-0222 §5: some ask the host
            assert any("category='pubsub'" in one and "type='pep'" in one for one in told)
            assert any("pubsub#publish-options'" in one for one in told)


async def test_a_blocked_contact_is_told_nothing(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server, "tune")
        block = Element("block", "urn:xmpp:blocking", Element("item", "", jid="romeo@localhost"))
        answer = await juliet.ask(Element("iq", CLIENT, block, type="set"))
        assert answer.get("type") == "result"
        await people.told(romeo)
        await people.publish(juliet, "tune", "a")
        assert await people.told(romeo) == []
        assert await people.items(romeo, "tune", to=JULIET) != ["a"]
