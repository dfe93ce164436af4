from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.features import ClientFeature, ClientSide
from chirrup.core.jid import JID
from chirrup.core.stanza import read_error
from chirrup.core.stream import CLIENT_FEATURES, ClientPolicy, Credentials
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.forms.payloads import Form
from chirrup.ext.pubsub import PUBLISH_OPTIONS
from chirrup.ext.pubsub.payloads import PubSub
from chirrup.ext.push.payloads import Disable, Enable, Notification
from chirrup.ext.push.registrations import Linked
from chirrup.testing import PASSWORD, FakeClock, TestClient, TestServer, serve

NODE = "yxs32uqsflafdk3iuqo"
INACTIVE, ACTIVE = "<inactive xmlns='urn:xmpp:csi:0'/>", "<active xmlns='urn:xmpp:csi:0'/>"


def push(**settings: object) -> Mapping[str, Any]:
    return {"modules": {"push": settings}}


async def ask(client: TestClient, payload: Enable | Disable, to: str | None = None) -> Element:
    return await client.ask(Element("iq", CLIENT, payload.to_element(), type="set", to=to))


async def enable(client: TestClient, service: Any, node: str = NODE, options: Form | None = None) -> None:
    answer = await ask(client, Enable(service.jid, node, options))
    assert answer.get("type") == "result", answer


async def refused(client: TestClient, payload: Enable, to: str | None = None) -> str:
    return read_error(await ask(client, payload, to)).condition


async def absent(server: TestServer, service: Any, **options: Any) -> None:
    """A phone of Juliet's that has switched push on and is gone."""
    phone = await server.client("juliet/phone")
    await enable(phone, service, **options)
    await phone.close()


async def romeo_of(server: TestServer) -> TestClient:
    return await server.client("romeo/orchard", presence=True)


async def say(client: TestClient, body: str = "hi", to: str = "juliet@localhost", kind: str = "chat") -> None:
    client.send(f"<message to='{to}' type='{kind}'><body>{body}</body></message>")
    await client.settle()


def summary(pubsub: PubSub) -> dict[str, str]:
    """The fields of the notification that was published."""
    assert pubsub.publish is not None
    (item,) = pubsub.publish.items
    (payload,) = item.payloads
    form = Notification.parse(payload).summary
    return {} if form is None else {field.var: field.value for field in form.fields if field.var != "FORM_TYPE"}


# -- who is notified, and of what


async def test_who_is_not_there_is_notified(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        pubsub = await service.next()
        assert pubsub.publish is not None
        assert pubsub.publish.node == NODE
        assert pubsub.publish_options is None
        assert summary(pubsub) == {"message-count": "1"}


async def test_who_is_there_is_not(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        phone = await server.client("juliet/phone", presence=True)
        await enable(phone, service)
        await say(await romeo_of(server))
        assert service.count == 0


async def test_a_device_is_notified_though_another_has_the_message(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        await absent(server, service)
        laptop = await server.client("juliet/laptop", presence=True)
        await say(await romeo_of(server), to="juliet@localhost/laptop")
        assert (await laptop.receive()).name in ("message", "presence")
        assert summary(await service.next()) == {"message-count": "1"}


async def test_a_device_that_nobody_looks_at_is_notified(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone = await server.client("juliet/phone", presence=True)
        await enable(phone, service)
        phone.send(INACTIVE)
        await phone.settle()
        romeo = await romeo_of(server)
        for count in ("1", "2"):
            await say(romeo)
            assert summary(await service.next()) == {"message-count": count}
            clock.advance(2)
        phone.send(ACTIVE)
        await phone.settle()
        await say(romeo)
        assert service.count == 0
        phone.send(INACTIVE)
        await phone.settle()
        await say(romeo)
        assert summary(await service.next()) == {"message-count": "1"}


async def test_a_session_without_a_connection_is_notified(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        phone = await server.client("juliet/phone", presence=True)
        await enable(phone, service)
        phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        assert (await phone.receive()).name == "enabled"
        session = server.server.hosts["localhost"].accounts["juliet"].sessions["phone"]
        phone.drop()
        romeo = await romeo_of(server)
        while not session.detached:
            await romeo.settle()
        await say(romeo, to="juliet@localhost/phone")
        assert summary(await service.next()) == {"message-count": "1"}


async def phone_in_the_dark(server: TestServer, service: Any, *, resume: bool = True, carbons: bool = False) -> Any:
    """A phone of Juliet's whose connection is dead, which nobody knows yet; and its session."""
    phone = await server.client("juliet/phone", presence=True)
    await enable(phone, service)
    if carbons:
        await phone.ask(Element("iq", CLIENT, Element("enable", "urn:xmpp:carbons:2"), type="set"))
    phone.send(f"<enable xmlns='urn:xmpp:sm:3' resume='{str(resume).lower()}'/>")
    assert (await phone.receive()).name == "enabled"
    return phone, server.server.hosts["localhost"].accounts["juliet"].sessions["phone"]


class Unbound(ClientFeature):
    """Doesn't bind a resource."""

    def begin(self, stream: ClientSide, features: Element) -> None:
        stream.jid = stream.domain


async def come_back(server: TestServer, previd: str) -> TestClient:
    """The phone, which goes on with its session and has got nothing of what was sent in it."""
    client = await server.raw()
    policy = ClientPolicy(Credentials("juliet", PASSWORD), tls_required=False, sasl2=False)
    await client.log_in(policy, "localhost", [*CLIENT_FEATURES[:4], Unbound])
    client.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/>")
    assert (await client.receive()).name == "resumed"
    return client


async def lose(phone: TestClient, session: Any, other: TestClient) -> None:
    """Let the server find out that the connection is gone."""
    phone.drop()
    while not session.detached and session.jid.resource in session.account.sessions:
        await other.settle()


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("to", ["juliet@localhost", "juliet@localhost/phone", "juliet@localhost/laptop"])
async def test_what_a_dead_connection_has_swallowed_is_told_when_it_is_found_dead(
    service: Any, to: str, resume: bool
) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone, session = await phone_in_the_dark(server, service, resume=resume, carbons=True)
        await server.client("juliet/laptop", presence=True)
        romeo = await romeo_of(server)
        await say(romeo, to=to)
        await say(romeo, to=to)
        romeo.send("<presence to='juliet@localhost'/>")
        await romeo.settle()
        assert service.count == 0
        await lose(phone, session, romeo)
        clock.advance(1)
        assert service.count == 0
        clock.advance(1)
        assert summary(await service.next()) == {"message-count": "2"}
        clock.advance(3600)  # the session is over, and what it had goes on
        await romeo.settle()
        assert service.count == 0


async def test_of_thousands_that_a_dead_connection_has_swallowed_the_last_count(service: Any) -> None:
    """To read all of them again would hold up everybody."""
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone, session = await phone_in_the_dark(server, service)
        romeo = await romeo_of(server)
        for _ in range(150):
            await say(romeo)
        await lose(phone, session, romeo)
        clock.advance(2)
        assert summary(await service.next()) == {"message-count": "100"}


async def test_who_comes_back_at_once_is_not_notified(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone, session = await phone_in_the_dark(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        await lose(phone, session, romeo)
        again = await server.client("juliet/phone2", presence=True)
        await enable(again, service)
        clock.advance(2)
        await romeo.settle()
        assert service.count == 0


async def test_a_connection_that_comes_and_goes(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone = await server.client("juliet/phone", presence=True)
        await enable(phone, service)
        phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        previd = (await phone.receive()).get("id")
        session = server.server.hosts["localhost"].accounts["juliet"].sessions["phone"]
        romeo = await romeo_of(server)
        await say(romeo)
        await lose(phone, session, romeo)
        for _ in range(2):
            clock.advance(1.5)
            phone = await come_back(server, previd)
            assert not session.detached
            await lose(phone, session, romeo)
        assert service.count == 0
        clock.advance(2)
        assert summary(await service.next()) == {"message-count": "1"}


async def test_who_has_acknowledged_it_is_not_notified(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone, session = await phone_in_the_dark(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        phone.send("<a xmlns='urn:xmpp:sm:3' h='1'/>")
        await phone.settle()
        phone.send("<a xmlns='urn:xmpp:sm:3' h='2'/>")
        await lose(phone, session, romeo)
        clock.advance(2)
        await romeo.settle()
        assert service.count == 0


async def test_what_was_told_while_nobody_looked_is_not_told_again(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone, session = await phone_in_the_dark(server, service)
        phone.send(INACTIVE)
        await phone.settle()
        romeo = await romeo_of(server)
        await say(romeo)
        assert summary(await service.next()) == {"message-count": "1"}
        await lose(phone, session, romeo)
        clock.advance(60)
        await romeo.settle()
        assert service.count == 0


async def test_messages_in_rooms_are_for_those_devices_that_are_in_them(service: Any) -> None:
    async with serve(push(last_message_sender=True)) as server:
        service.serve(server)
        await absent(server, service, node="tablet")
        phone = await server.client("juliet/phone", presence=True)
        await enable(phone, service)
        phone.send(INACTIVE)
        await phone.settle()
        await say(await romeo_of(server), to="juliet@localhost/phone", kind="groupchat")
        pubsub = await service.next()
        assert pubsub.publish is not None
        assert pubsub.publish.node == NODE
        assert summary(pubsub) == {"message-count": "1", "last-message-sender": "romeo@localhost/orchard"}
        assert service.count == 0


@pytest.mark.parametrize(
    "inside",
    ["<composing xmlns='http://jabber.org/protocol/chatstates'/>", "<received xmlns='urn:xmpp:receipts'/>", ""],
)
async def test_nobody_is_woken_for_nothing(service: Any, inside: str) -> None:
    async with serve() as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        romeo.send(f"<message to='juliet@localhost' type='chat'>{inside}</message>")
        await romeo.settle()
        assert service.count == 0


async def test_ones_own_words_wake_nobody(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        await absent(server, service)
        laptop = await server.client("juliet/laptop", presence=True)
        await say(laptop)
        await say(laptop, to="romeo@localhost")
        assert service.count == 0


async def test_a_request_for_a_subscription_is_told(service: Any) -> None:
    async with serve(push(message_count=False)) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        romeo.send("<presence type='subscribe' to='juliet@localhost'/>")
        await romeo.settle()
        assert summary(await service.next()) == {"pending-subscription-count": "1"}


async def test_a_request_that_is_answered_or_known_wakes_nobody(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        phone = await server.client("juliet/phone")
        await enable(phone, service)
        phone.send("<presence type='subscribed' to='benvolio@localhost'/>")
        await phone.settle()
        await phone.close()
        benvolio = await server.client("benvolio")
        benvolio.send("<presence type='subscribe' to='juliet@localhost'/>" * 2)
        await benvolio.settle()
        assert service.count == 0
        romeo = await romeo_of(server)
        romeo.send("<presence type='subscribe' to='juliet@localhost'/>" * 10)
        await romeo.settle()
        await service.next()
        clock.advance(60)
        await romeo.settle()
        assert service.count == 0


async def test_a_service_is_told_what_the_settings_allow(service: Any) -> None:
    clock = FakeClock()
    settings = push(message_count=True, last_message_sender=True, last_message_body=True)
    async with serve(settings, clock=clock) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        romeo.send("<presence type='subscribe' to='juliet@localhost'/>")
        await romeo.settle()
        await service.next()
        clock.advance(2)
        await say(romeo, "x" * 600)
        assert summary(await service.next()) == {
            "message-count": "1",
            "pending-subscription-count": "1",
            "last-message-sender": "romeo@localhost",
            "last-message-body": "x" * 500,
        }


async def test_a_service_may_be_told_nothing(service: Any) -> None:
    async with serve(push(message_count=False)) as server:
        service.serve(server)
        await absent(server, service)
        await say(await romeo_of(server))
        assert summary(await service.next()) == {}


async def test_the_options_go_along_and_are_kept(service: Any, tmp_path: Path) -> None:
    options = Form.of("submit", PUBLISH_OPTIONS, {"secret": "eruio234vzxc2kla-91"})
    async with serve(data=tmp_path) as server:
        phone = await server.client("juliet/phone")
        await enable(phone, service, options=options)
        await enable(phone, service, node="other & <more>")
    async with serve(data=tmp_path) as server:
        service.serve(server)
        await say(await romeo_of(server))
        published = [await service.next(), await service.next()]
        found = {
            pubsub.publish.node: pubsub.publish_options.form if pubsub.publish_options else None
            for pubsub in published
            if pubsub.publish
        }
        assert found.keys() == {NODE, "other & <more>"}
        form = found[NODE]
        assert form is not None
        assert form.values("secret") == ("eruio234vzxc2kla-91",)
        assert form.form_type == PUBLISH_OPTIONS


async def test_the_last_options_count(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        phone = await server.client("juliet/phone")
        await enable(phone, service, options=Form.of("submit", PUBLISH_OPTIONS, {"secret": "old"}))
        await enable(phone, service, options=Form.of("submit", PUBLISH_OPTIONS, {"secret": "new"}))
        await phone.close()
        await say(await romeo_of(server))
        pubsub = await service.next()
        assert pubsub.publish_options is not None
        assert pubsub.publish_options.form is not None
        assert pubsub.publish_options.form.values("secret") == ("new",)
        assert service.count == 0


# -- switching off


@pytest.mark.parametrize(("node", "left"), [(None, []), ("one", ["two"]), ("three", ["one", "two"])])
async def test_switching_off(service: Any, another_service: Any, node: str | None, left: list[str]) -> None:
    async with serve() as server:
        service.serve(server)
        another_service.serve(server)
        phone = await server.client("juliet/phone")
        await enable(phone, service, "one")
        await enable(phone, service, "two")
        await enable(phone, another_service, "one")
        assert (await ask(phone, Disable(service.jid, node))).get("type") == "result"
        await phone.close()
        await say(await romeo_of(server))
        await another_service.next()
        assert (
            sorted([pubsub.publish.node for pubsub in [await service.next() for _ in left] if pubsub.publish]) == left
        )
        assert service.count == 0
        stored = await server.server.store.map("push").all("juliet@localhost")
        assert len(stored) == len(left) + 1


async def test_the_service_takes_no_more(service: Any) -> None:
    async with serve() as server:
        service.serve(server)
        await absent(server, service)
        await absent(server, service, node="other")

        def revoke(sender: str, node: str, affiliation: str = "none") -> None:
            pubsub = Element("pubsub", "http://jabber.org/protocol/pubsub", node=node)
            pubsub.c("affiliation", jid="juliet@localhost", affiliation=affiliation)
            service.send(Element("message", CLIENT, pubsub, from_=sender, to="juliet@localhost"))

        romeo = await romeo_of(server)
        revoke("push.other.example", NODE)
        revoke(service.jid.text, NODE, "publish-only")
        revoke(service.jid.text, "other")
        await romeo.settle()
        await say(romeo)
        pubsub = await service.next()
        assert pubsub.publish is not None
        assert pubsub.publish.node == NODE
        assert service.count == 0


async def test_switching_on_and_off_without_end_leaves_nothing(service: Any) -> None:
    async with serve(push(max_services=2)) as server:
        service.serve(server)
        phone, laptop = await server.client("juliet/phone"), await server.client("juliet/laptop")
        for number in range(50):
            await enable(phone, service, f"{number}")
            await enable(laptop, service, f"{number}")
            await ask(laptop, Disable(service.jid, f"{number}"))
        for _ in range(50):
            await enable(phone, service)
        sessions = server.server.hosts["localhost"].accounts["juliet"].sessions
        assert [len(sessions[name].get(Linked)) for name in ("phone", "laptop")] == [1, 0]
        await phone.close()
        await say(await romeo_of(server))
        await service.next()
        assert service.count == 0
        assert await registered(server) == 1


async def test_an_account_that_is_removed_is_told_of_no_more(service: Any) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        await say(romeo)
        await service.next()
        await server.server.hosts["localhost"].remove_account("juliet")
        clock.advance(60)
        await romeo.settle()
        assert service.count == 0


# -- where services are


async def test_a_component_is_a_push_service(with_components: Any) -> None:
    clock = FakeClock()
    async with with_components({}, "push.example.org", clock=clock) as they:
        component = await they.component("push.example.org")
        phone = await they.server.client("juliet/phone")
        assert (await ask(phone, Enable(JID("push.example.org"), NODE))).get("type") == "result"
        await phone.close()
        romeo = await romeo_of(they.server)
        await say(romeo)
        request = await component.receive()
        assert (request.get("from"), request.get("to")) == ("localhost", "push.example.org")
        assert request.first is not None
        assert summary(PubSub.parse(request.first)) == {"message-count": "1"}
        between = "from='push.example.org' to='localhost'"
        component.send(f"<iq type='result' id='{request.get('id')}' {between}/>")
        await component.settle()
        clock.advance(2)
        await say(romeo)
        request = await component.receive()
        error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        component.send(f"<iq type='error' id='{request.get('id')}' {between}>{error}</iq>")
        await component.settle()
        assert await registered(they.server) == 0


async def test_a_component_that_is_away_is_suffered_for_a_while(with_components: Any) -> None:
    clock = FakeClock()
    async with with_components(push(max_failures=2), "push.example.org", clock=clock) as they:
        phone = await they.server.client("juliet/phone")
        assert (await ask(phone, Enable(JID("push.example.org"), NODE))).get("type") == "result"
        await phone.close()
        romeo = await romeo_of(they.server)
        for left in (1, 0):
            await say(romeo)
            clock.advance(60)
            await romeo.settle()
            assert await registered(they.server) == left
            clock.advance(60)


async def test_a_service_may_be_anybody_elsewhere(service: Any) -> None:
    async with serve() as server:
        service.jid = JID("pusher@push.example/service")
        service.serve(server)
        await absent(server, service)
        await say(await romeo_of(server))
        assert summary(await service.next()) == {"message-count": "1"}


# -- services that fail


async def registered(server: TestServer) -> int:
    return len(await server.server.store.map("push").all("juliet@localhost"))


@pytest.mark.parametrize("condition", ["item-not-found", "forbidden", "not-authorized", "conflict", "bad-request"])
async def test_an_error_that_stays_switches_off(service: Any, condition: str) -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        service.serve(server)
        service.error = StanzaError(condition)
        await absent(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        await service.next()
        clock.advance(3600)
        await say(romeo)
        assert service.count == 0
        assert await registered(server) == 0


async def test_an_error_that_may_pass_is_suffered_a_few_times(service: Any) -> None:
    clock = FakeClock()
    async with serve(push(max_failures=3, interval=10), clock=clock) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        service.error = StanzaError("resource-constraint")
        await say(romeo)
        await service.next()
        await say(romeo)
        clock.advance(19)
        await romeo.settle()
        assert service.count == 0
        clock.advance(1)
        await service.next()
        service.error = None
        await say(romeo)
        clock.advance(40)
        await service.next()
        service.error = StanzaError("not-allowed", type="wait")
        for _ in range(3):
            assert await registered(server) == 1
            await romeo.settle()
            clock.advance(3600)
            await say(romeo)
            await service.next()
        await say(romeo)
        clock.advance(3600)
        await romeo.settle()
        assert service.count == 0
        assert await registered(server) == 0


async def test_a_service_that_never_answers_costs_little_and_is_given_up(service: Any) -> None:
    clock = FakeClock()
    async with serve(push(max_failures=2, timeout=60), clock=clock) as server:
        service.serve(server)
        service.silent = True
        await absent(server, service)
        romeo = await romeo_of(server)
        for _ in range(20):
            await say(romeo)
        assert summary(await service.next()) == {"message-count": "1"}
        assert service.count == 0
        clock.advance(60)
        await romeo.settle()
        clock.advance(4)
        assert summary(await service.next()) == {"message-count": "20"}
        clock.advance(60)
        await romeo.settle()
        await say(romeo)
        clock.advance(3600)
        assert service.count == 0
        assert await registered(server) == 0


async def test_an_answer_that_comes_too_late_or_from_another_is_none(service: Any, another_service: Any) -> None:
    clock = FakeClock()
    async with serve(push(timeout=60), clock=clock) as server:
        service.serve(server)
        another_service.serve(server)
        service.silent = True
        await absent(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        await service.next()
        (asked,) = service.unanswered
        forged = Element("iq", CLIENT, type="error", id=asked.get("id"), to="localhost", from_=another_service.jid)
        another_service.send(forged)
        await romeo.settle()
        assert await registered(server) == 1
        clock.advance(60)
        await romeo.settle()
        service.error = StanzaError("item-not-found")
        service.answer(asked)
        await romeo.settle()
        assert await registered(server) == 1


async def test_what_happens_within_the_interval_is_one_notification(service: Any) -> None:
    clock = FakeClock()
    async with serve(push(interval=5), clock=clock) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        for _ in range(10):
            await say(romeo)
        assert summary(await service.next()) == {"message-count": "1"}
        assert service.count == 0
        clock.advance(5)
        assert summary(await service.next()) == {"message-count": "10"}
        clock.advance(3600)
        assert service.count == 0


async def test_switched_off_while_a_notification_waits(service: Any) -> None:
    clock = FakeClock()
    async with serve(push(interval=5), clock=clock) as server:
        service.serve(server)
        await absent(server, service)
        romeo = await romeo_of(server)
        await say(romeo)
        await say(romeo)
        await service.next()
        phone = await server.client("juliet/phone")
        await ask(phone, Disable(service.jid))
        clock.advance(3600)
        await romeo.settle()
        assert service.count == 0


# -- who may be notified


async def test_only_so_many_nodes(service: Any) -> None:
    async with serve(push(max_services=2)) as server:
        phone = await server.client("juliet/phone")
        await enable(phone, service, "one")
        await enable(phone, service, "two")
        await enable(phone, service, "one")
        assert await refused(phone, Enable(service.jid, "three")) == "resource-constraint"
        await ask(phone, Disable(service.jid, "one"))
        await enable(phone, service, "three")


@pytest.mark.parametrize(
    "jid", ["localhost", "localhost/x", "romeo@localhost", "romeo@localhost/orchard", "juliet@localhost/phone"]
)
async def test_the_host_and_its_accounts_are_no_push_services(jid: str) -> None:
    """Else a client could have the host send requests, in its own name, to whom it likes."""
    async with serve() as server:
        romeo = await romeo_of(server)
        phone = await server.client("juliet/phone")
        assert await refused(phone, Enable(JID(jid), NODE)) == "not-allowed"
        await phone.close()
        await say(romeo)
        assert not [stanza for stanza in romeo.received if stanza.name == "iq"]


async def test_services_may_be_named(service: Any, another_service: Any) -> None:
    async with serve(push(services=["push-5.client.example"])) as server:
        phone = await server.client("juliet/phone")
        await enable(phone, service)
        assert await refused(phone, Enable(another_service.jid, NODE)) == "not-allowed"


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        (Enable(JID("push.example"), "x" * 1025), "not-acceptable"),
        (Enable(JID("push.example"), NODE, Form.of("submit", "urn:example", {"secret": "x"})), "bad-request"),
        (Enable(JID("push.example"), NODE, Form.of("submit", PUBLISH_OPTIONS, {"x": "x" * 4096})), "not-acceptable"),
    ],
)
async def test_what_is_too_much(payload: Enable, condition: str) -> None:
    async with serve() as server:
        assert await refused(await server.client("juliet"), payload) == condition


async def test_nobody_switches_on_anothers() -> None:
    async with serve() as server:
        await server.client("juliet")
        romeo = await romeo_of(server)
        assert await refused(romeo, Enable(JID("push.example"), NODE), "juliet@localhost") == "service-unavailable"


async def test_push_is_told_of_by_the_account() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        query = Element("query", "http://jabber.org/protocol/disco#info")
        info = await juliet.ask(Element("iq", CLIENT, query, type="get", to="juliet@localhost"))
        assert info.first is not None
        assert "urn:xmpp:push:0" in {feature.get("var") for feature in info.first.elements("feature")}
