"""Subscriptions, and what owners decide about them."""

from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.xml import Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import AUTHORIZATION
from chirrup.testing import TestClient, serve

JULIET = "juliet@localhost"


async def subscribe(people: Any, client: TestClient, node: str, jid: str) -> str:
    """The state of the subscription, or the error."""
    answer = await people.ask(client, f"<subscribe node='{node}' jid='{jid}'/>", kind="set", to=JULIET)
    if answer.get("type") != "result":
        return str(people.condition(answer))
    subscription = answer.first.child("subscription")
    assert (subscription.get("node"), subscription.get("jid")) == (node, jid)
    return str(subscription.get("subscription"))


async def unsubscribe(people: Any, client: TestClient, node: str, jid: str) -> str:
    return str(await people.do(client, f"<unsubscribe node='{node}' jid='{jid}'/>", to=JULIET))


async def test_a_subscriber_without_presence(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt/street", presence=True)
        await people.publish(juliet, "tune", "a", access_model="open")
        assert await subscribe(people, tybalt, "tune", "tybalt@localhost") == "subscribed"
        assert await people.item_arrives(tybalt) == "tune a"  # the last one
        assert await subscribe(people, tybalt, "tune", "tybalt@localhost") == "subscribed"
        await people.publish(juliet, "tune", "b")
        message = await tybalt.receive()
        assert message.get("to") == "tybalt@localhost"
        assert message.child("addresses", "http://jabber.org/protocol/address") is None  # who published is not told
        assert await unsubscribe(people, tybalt, "tune", "tybalt@localhost") == ""
        assert await unsubscribe(people, tybalt, "tune", "tybalt@localhost") == "unexpected-request not-subscribed"
        await people.publish(juliet, "tune", "c")
        assert await people.told(tybalt) == []


async def test_the_last_item_comes_after_the_answer(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt/street", presence=True)
        await people.publish(juliet, "tune", "a", access_model="open")
        tybalt.received.clear()
        subscribe = f"<pubsub xmlns='{people.NS}'><subscribe node='tune' jid='{tybalt.jid}'/></pubsub>"
        tybalt.send(f"<iq type='set' id='s' to='{JULIET}'>{subscribe}</iq>")
        assert [(await tybalt.receive()).name for _ in range(2)] == ["iq", "message"]


async def test_a_node_that_tells_nothing_tells_new_subscribers_nothing(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt/street", presence=True)
        await people.publish(juliet, "tune", "a", access_model="open", deliver_notifications="false")
        assert await subscribe(people, tybalt, "tune", "tybalt@localhost") == "subscribed"
        assert await people.told(tybalt) == []


async def test_nobody_subscribes_or_unsubscribes_somebody_else(people: Any) -> None:
    async with serve() as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        romeo = await server.client("romeo")
        await people.publish(juliet, "tune", "a", access_model="open")
        await subscribe(people, romeo, "tune", "romeo@localhost")
        assert await subscribe(people, tybalt, "tune", "romeo@localhost") == "bad-request invalid-jid"
        assert await unsubscribe(people, tybalt, "tune", "romeo@localhost") == "unexpected-request not-subscribed"
        answer = await people.ask(juliet, "<subscriptions node='tune'/>", ns="http://jabber.org/protocol/pubsub#owner")
        assert [one.get("jid") for one in answer.first.first.elements()] == ["romeo@localhost"]


async def test_a_full_jid_is_told_whether_or_not_it_says_that_it_wants_it(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await people.publish(juliet, "tune", "a", send_last_published_item="never")
        assert await subscribe(people, romeo, "tune", romeo.jid.text) == "subscribed"
        assert await subscribe(people, romeo, "tune", "romeo@localhost") == "subscribed"
        await people.become_available(romeo, "tune")
        await people.publish(juliet, "tune", "b")
        assert await people.told_items(romeo) == ["b"]  # once


async def test_the_owner_is_told_if_that_is_wanted(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet", presence=True)
        tybalt = await server.client("tybalt")
        await people.publish(juliet, "tune", "a", access_model="open", notify_sub="true")
        await subscribe(people, tybalt, "tune", "tybalt@localhost")
        await unsubscribe(people, tybalt, "tune", "tybalt@localhost")
        events = [event.subscription for event in await people.told(juliet)]
        assert [(one.jid.text, one.subscription) for one in events] == [
            ("tybalt@localhost", "subscribed"),
            ("tybalt@localhost", "none"),
        ]


async def test_limits(people: Any) -> None:
    async with serve({"modules": {"pubsub": {"max_subscribers": 12}}}) as server:
        juliet, tybalt = await server.client("juliet"), await server.client("tybalt")
        await people.publish(juliet, "tune", "a", access_model="open")
        states = [await subscribe(people, tybalt, "tune", f"tybalt@localhost/{number}") for number in range(11)]
        assert states == ["subscribed"] * 10 + ["policy-violation too-many-subscriptions"]
        romeo = await server.client("romeo")
        states = [await subscribe(people, romeo, "tune", f"romeo@localhost/{number}") for number in range(3)]
        # To somebody without a subscription the node's being full looks like its not being there.
        assert states == ["subscribed"] * 2 + ["policy-violation too-many-subscriptions"]


async def test_a_node_that_takes_none(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await people.publish(juliet, "tune", "a", subscribe="false")
        assert await subscribe(people, romeo, "tune", "romeo@localhost") == "feature-not-implemented unsupported"


async def test_who_loses_sight_of_presence_loses_the_subscription(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await people.publish(juliet, "tune", "a", send_last_published_item="never")
        assert await subscribe(people, romeo, "tune", romeo.jid.text) == "subscribed"
        juliet.send("<presence type='unsubscribed' to='romeo@localhost'/>")
        event = await people.arrives(romeo)
        assert event.subscription is not None
        assert (event.subscription.node, event.subscription.subscription) == ("tune", "none")
        await people.publish(juliet, "tune", "b")
        assert await people.told(romeo) == []


# -- nodes whose owner approves


async def request(people: Any, owner: TestClient, subscriber: TestClient) -> Form:
    """Subscribe to a node that wants approval: the form that its owner gets."""
    await people.publish(owner, "tune", "a", access_model="authorize")
    assert await subscribe(people, subscriber, "tune", "tybalt@localhost") == "pending"
    assert await subscribe(people, subscriber, "tune", "tybalt@localhost") == "not-authorized pending-subscription"
    assert await people.items(subscriber, "tune", to=JULIET) == "not-authorized not-subscribed"
    while (message := await owner.receive()).name != "message":
        pass
    form = Form.find(message)
    assert form is not None
    assert form.form_type == AUTHORIZATION
    assert form.values("pubsub#subscriber_jid") == ("tybalt@localhost",)
    return form


@pytest.mark.parametrize("allow", [True, False])
async def test_a_request_and_its_answer(people: Any, allow: bool) -> None:
    async with serve() as server:
        juliet = await server.client("juliet", presence=True)
        tybalt = await server.client("tybalt", presence=True)
        await request(people, juliet, tybalt)
        values: dict[str, str | bool] = {
            "pubsub#node": "tune",
            "pubsub#subscriber_jid": "tybalt@localhost",
            "pubsub#allow": allow,
        }
        answer = Form.of("submit", AUTHORIZATION, dict(values))
        tybalt.send(Element("message", "jabber:client", answer.to_element(), to="tybalt@localhost"))  # not the owner
        assert await people.items(tybalt, "tune", to=JULIET) == "not-authorized not-subscribed"
        juliet.send(Element("message", "jabber:client", answer.to_element(), to=JULIET))
        event = await people.arrives(tybalt)
        assert event.subscription is not None
        assert event.subscription.subscription == ("subscribed" if allow else "none")
        if allow:
            assert await people.item_arrives(tybalt) == "tune a"
            assert await people.items(tybalt, "tune", to=JULIET) == ["a"]
            await people.publish(juliet, "tune", "b")
            assert await people.told_items(tybalt) == ["b"]
        else:
            await people.publish(juliet, "tune", "b")
            assert await people.told(tybalt) == []


@pytest.mark.parametrize(
    "wrong",
    [{"pubsub#allow": "perhaps"}, {"pubsub#subscriber_jid": "@@"}, {"pubsub#node": "none"}],
)
async def test_an_answer_that_makes_no_sense(people: Any, wrong: dict[str, str]) -> None:
    """It is no answer: the request goes on waiting, and nobody is told of a fault of the server."""
    async with serve() as server:
        juliet, tybalt = await server.client("juliet", presence=True), await server.client("tybalt")
        await request(people, juliet, tybalt)
        values = {"pubsub#node": "tune", "pubsub#subscriber_jid": "tybalt@localhost", "pubsub#allow": "true", **wrong}
        answer = Form.of("submit", AUTHORIZATION, dict(values))
        juliet.send(Element("message", "jabber:client", answer.to_element(), to=JULIET))
        await juliet.settle()
        assert not any(stanza.get("type") == "error" for stanza in juliet.received)
        assert await people.items(tybalt, "tune", to=JULIET) == "not-authorized not-subscribed"


async def test_a_request_that_is_approved_in_the_list(people: Any) -> None:
    async with serve() as server:
        juliet = await server.client("juliet", presence=True)
        tybalt = await server.client("tybalt", presence=True)
        await request(people, juliet, tybalt)
        one = "<subscription jid='tybalt@localhost' subscription='{}'/>"
        change = f"<subscriptions node='tune'>{one}</subscriptions>"
        assert await people.own(juliet, change.format("pending")) == "not-acceptable"
        assert await people.own(juliet, change.format("subscribed")) == ""
        assert await people.items(tybalt, "tune", to=JULIET) == ["a"]
        assert await people.own(juliet, change.format("none")) == ""
        assert await people.items(tybalt, "tune", to=JULIET) == "not-authorized presence-subscription-required"


@pytest.mark.parametrize(("affiliation", "now"), [("publisher", "subscribed"), ("outcast", "none")])
async def test_a_request_that_an_affiliation_decides(people: Any, affiliation: str, now: str) -> None:
    """XEP-0060 §8.7.4: nobody is left waiting."""
    async with serve() as server:
        juliet = await server.client("juliet", presence=True)
        tybalt = await server.client("tybalt", presence=True)
        await request(people, juliet, tybalt)
        one = f"<affiliation jid='tybalt@localhost' affiliation='{affiliation}'/>"
        assert await people.own(juliet, f"<affiliations node='tune'>{one}</affiliations>") == ""
        event = await people.arrives(tybalt)
        assert event.subscription is not None
        assert event.subscription.subscription == now
        answer = await people.ask(juliet, "<subscriptions node='tune'/>", ns=f"{people.NS}#owner")
        states = [one.get("subscription") for one in answer.first.first.elements()]
        assert states == [now] * (now == "subscribed")


async def test_owners_subscribe_nobody_who_has_not_asked(people: Any, friends: Any) -> None:
    async with serve() as server:
        juliet, _ = await friends(server)
        await people.publish(juliet, "tune", "a")
        change = "<subscriptions node='tune'><subscription jid='{}' subscription='subscribed'/></subscriptions>"
        assert await people.own(juliet, change.format("tybalt@localhost")) == "not-acceptable"
        assert await people.own(juliet, change.format("romeo@localhost")) == ""
