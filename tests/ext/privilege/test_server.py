"""Privileged components: the examples of XEP-0356, each permission missing, and those who pretend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup import Component, Message, StanzaError
from chirrup.core.errors import ConfigError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.privilege.payloads import Privilege, PrivilegedIQ
from chirrup.server.app import Server
from chirrup.server.config import Config
from chirrup.testing import FakeClock

NS = "urn:xmpp:privilege:2"
PUBSUB = "http://jabber.org/protocol/pubsub"
ROSTER = "jabber:iq:roster"
HERE, OTHER = "pubsub.localhost", "other.localhost"
EVERYTHING = {
    "roster": "both",
    "message": "outgoing",
    "presence": "roster",
    "iq": {PUBSUB: "set", "urn:xmpp:ping": "get"},
}


def granting(*, local_modules: Any = (), **grant: Any) -> dict[str, Any]:
    return {
        "hosts": {"localhost": {"modules_enabled": ["privilege", *local_modules]}},
        "modules": {"privilege": {"components": {HERE: grant}}},
    }


def condition(answer: Element) -> str:
    assert answer.get("type") == "error", answer
    error = answer.child("error")
    assert error is not None and error.first is not None
    return error.first.name


def roster_get(to: str = "juliet@localhost", sender: str = HERE) -> str:
    return f"<iq type='get' id='roster1' from='{sender}' to='{to}'><query xmlns='{ROSTER}'/></iq>"


def roster_set(jid: str, to: str = "juliet@localhost", sender: str = HERE) -> str:
    item = f"<query xmlns='{ROSTER}'><item jid='{jid}' name='Nurse'/></query>"
    return f"<iq type='set' id='roster2' from='{sender}' to='{to}'>{item}</iq>"


def message(inner: str, sender: str = HERE, to: str = "localhost") -> str:
    forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded>"
    return f"<message from='{sender}' to='{to}' id='notif1'><privilege xmlns='{NS}'>{forwarded}</privilege></message>"


def from_juliet(to: str = "romeo@localhost", sender: str = "juliet@localhost") -> str:
    return f"<message xmlns='{CLIENT}' from='{sender}' to='{to}' id='foo'><body>I am annoyed</body></message>"


def iq(inner: str, *, to: str = "juliet@localhost", sender: str = HERE, kind: str = "get") -> str:
    wrapped = f"<privileged_iq xmlns='{NS}'>{inner}</privileged_iq>"
    return f"<iq type='{kind}' id='priv_iq_1' from='{sender}' to='{to}'>{wrapped}</iq>"


def ping(to: str = "localhost", more: str = "", kind: str = "get", ns: str = CLIENT) -> str:
    return f"<iq xmlns='{ns}' type='{kind}' id='sub_1' to='{to}' {more}><ping xmlns='urn:xmpp:ping'/></iq>"


async def ready(they: Any, domain: str = HERE) -> Any:
    """A component that has been told of its permissions."""
    component = await they.component(domain)
    await component.receive()
    return component


async def test_permissions_are_told(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(**EVERYTHING), HERE, OTHER) as they:
        component = await they.component(HERE)
        told = await component.receive()
        assert (told.get("from"), told.get("to"), told.name) == ("localhost", HERE, "message")
        privilege = Privilege.find(told)
        assert privilege is not None
        assert [(one.access, one.type, one.push) for one in privilege.permissions] == [
            ("roster", "both", True), ("message", "outgoing", None), ("iq", None, None), ("presence", "roster", None),
        ]  # fmt: skip
        namespaces = [(one.ns, one.type) for one in privilege.permissions[2].namespaces]
        assert namespaces == [(PUBSUB, "set"), ("urn:xmpp:ping", "get")]
        assert await (await they.component(OTHER)).settle() == [], "who has no permission is told nothing"


async def test_a_roster_is_read_changed_and_its_changes_told(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(roster="both"), HERE) as they:
        juliet = await they.server.client("juliet")
        component = await ready(they)
        component.send(roster_set("nurse@localhost"))
        answers = {answer.get("type"): answer for answer in [await component.receive(), await component.receive()]}
        assert answers["result"].get("from") == "juliet@localhost"
        push = answers["set"]
        assert (push.get("from"), push.get("to")) == ("juliet@localhost", HERE)
        answer = await component.ask(roster_get())
        assert [item.get("jid") for item in answer.first.elements("item")] == ["nurse@localhost"]
        juliet.send(f"<iq type='set' id='1'><query xmlns='{ROSTER}'><item jid='romeo@localhost'/></query></iq>")
        pushed = await component.receive()
        assert pushed.first.first.get("jid") == "romeo@localhost"
        component.send(f"<iq type='result' id='{pushed.get('id')}' from='{HERE}' to='juliet@localhost'/>")
        assert await component.settle() == []


async def test_pushes_can_be_declined(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(roster="both", push=False), HERE) as they:
        await they.server.add_account("juliet")
        component = await they.component(HERE)
        told = Privilege.find(await component.receive())
        assert told is not None and told.permissions[0].push in (None, False)
        assert (await component.ask(roster_set("nurse@localhost"))).get("type") == "result"
        assert await component.settle() == []


@pytest.mark.parametrize(
    ("granted", "may_get", "may_set"), [("get", True, False), ("set", False, True), ("none", False, False)]
)
async def test_what_is_granted_of_rosters_and_no_more(
    with_components: Callable[..., Any], granted: str, may_get: bool, may_set: bool
) -> None:
    async with with_components(granting(roster=granted, push=False, message="outgoing"), HERE) as they:
        await they.server.add_account("juliet")
        component = await ready(they)
        for text, may in ((roster_get(), may_get), (roster_set("nurse@localhost"), may_set)):
            answer = await component.ask(text)
            assert answer.get("type") == "result" if may else condition(answer) == "forbidden"


async def test_only_the_component_itself_is_privileged(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(**EVERYTHING), HERE, OTHER) as they:
        await they.server.add_account("juliet")
        component, other = await ready(they), await they.component(OTHER)
        mallory = await they.server.client("mallory")
        for sender in (f"user@{HERE}", f"{HERE}/resource"):
            for text in (roster_get(sender=sender), message(from_juliet(), sender), iq(ping(), sender=sender)):
                assert condition(await component.ask(text)) == "forbidden"
        for text in (roster_get(sender=OTHER), message(from_juliet(), OTHER), iq(ping(), sender=OTHER)):
            assert condition(await other.ask(text)) == "forbidden"
        mine = mallory.jid.text
        for text in (roster_get(sender=mine), message(from_juliet(), mine), iq(ping(), sender=mine)):
            mallory.send(text)
            assert condition(await mallory.receive()) == "forbidden"


async def test_a_message_goes_out_in_an_accounts_name(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(message="outgoing"), HERE) as they:
        await they.server.add_account("juliet")
        romeo = await they.server.client("romeo", presence=True)
        component = await ready(they)
        for sender in ("juliet@localhost", "localhost"):
            component.send(message(from_juliet(sender=sender)))
            came = await romeo.receive()
            assert (came.get("from"), came.get("id"), came.child_text("body")) == (sender, "foo", "I am annoyed")
            assert came.child("privilege", NS) is None
        assert await component.settle() == []


async def test_what_is_sent_in_an_accounts_name_is_in_its_archive_and_with_its_clients(
    with_components: Callable[..., Any],
) -> None:
    """§5.3: as if the account had sent it."""
    forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='forged'/>"
    async with with_components(granting(message="outgoing"), HERE) as they:
        juliet, chamber = [await they.server.client(f"juliet@localhost/{name}") for name in ("balcony", "chamber")]
        romeo = await they.server.client("romeo", presence=True)
        juliet.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        await juliet.settle()
        juliet.received.clear()
        component = await ready(they)
        component.send(message(from_juliet().replace("</message>", f"{forged}</message>")))
        carbon = await juliet.receive()
        sent = carbon.child("sent", "urn:xmpp:carbons:2")
        assert (carbon.get("from"), sent is not None) == ("juliet@localhost", True)
        copied = sent.first.first
        ids = [one.get("id") for one in copied.elements("stanza-id", "urn:xmpp:sid:0")]
        assert (copied.get("to"), copied.child_text("body")) == ("romeo@localhost", "I am annoyed")
        came = await romeo.receive()
        assert [one.get("by") for one in came.elements("stanza-id", "urn:xmpp:sid:0")] == ["romeo@localhost"]
        juliet.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
        found = (await juliet.receive()).child("result", "urn:xmpp:mam:2")
        assert [found.get("id")] == ids
        assert found.first.child("message", CLIENT).child("stanza-id", "urn:xmpp:sid:0") is None
        await juliet.settle()
        juliet.received.clear()
        component.send(message(from_juliet("juliet@localhost")))
        await component.settle()
        await chamber.settle()
        juliet.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>")
        while (end := await juliet.receive()).get("id") != "q":  # she is asked whether what waited has arrived, too
            pass
        assert end.first.first.child_text("count") == "2", "what it sends itself is there once"
        assert not chamber.received


async def test_a_component_is_told_what_could_not_be_kept_of_its_message(
    with_components: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_components(granting(message="outgoing"), HERE) as they:
        await they.server.add_account("juliet")
        await they.server.add_account("romeo")
        component = await ready(they)
        monkeypatch.setattr("chirrup.store.queue.LIMIT", 0)
        answer = await component.ask(message(from_juliet()))
        assert (answer.get("from"), answer.get("id")) == ("localhost", "notif1")
        assert condition(answer) == "internal-server-error"


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (from_juliet(sender="juliet@localhost/balcony"), "forbidden"),
        (from_juliet(sender="juliet@elsewhere.example"), "forbidden"),
        (from_juliet(sender=HERE), "forbidden"),
        (from_juliet(sender="nobody@localhost"), "forbidden"),
        (f"<message xmlns='{CLIENT}' to='romeo@localhost'/>", "bad-request"),
        (f"<message xmlns='{CLIENT}' from='juliet@localhost'/>", "bad-request"),
        (from_juliet(sender="@@"), "jid-malformed"),
        (f"<presence xmlns='{CLIENT}' from='juliet@localhost' to='romeo@localhost'/>", "bad-request"),
        ("", "bad-request"),
        (from_juliet() + from_juliet(), "bad-request"),
    ],
)
async def test_messages_that_are_not_sent(with_components: Callable[..., Any], inner: str, expected: str) -> None:
    async with with_components(granting(message="outgoing"), HERE) as they:
        await they.server.add_account("juliet")
        romeo = await they.server.client("romeo", presence=True)
        component = await ready(they)
        answer = await component.ask(message(inner))
        assert (answer.name, answer.get("id"), condition(answer)) == ("message", "notif1", expected)
        await romeo.settle()
        assert not romeo.received


async def test_messages_without_the_permission(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(roster="both"), HERE) as they:
        await they.server.add_account("juliet")
        component = await ready(they)
        assert condition(await component.ask(message(from_juliet()))) == "forbidden"


async def test_a_message_in_a_message_in_a_message(with_components: Callable[..., Any]) -> None:
    """What is sent in a name has that name's rights: none."""
    async with with_components(granting(message="outgoing"), HERE) as they:
        await they.server.add_account("juliet")
        romeo = await they.server.client("romeo", presence=True)
        component = await ready(they)
        for sender in ("juliet@localhost", "localhost"):
            wrapped = message(from_juliet(), sender).replace("<message from", f"<message xmlns='{CLIENT}' from", 1)
            component.send(message(wrapped))
        await component.settle()
        await romeo.settle()
        assert not romeo.received


async def test_whom_an_account_has_blocked_nobody_reaches_for_it(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(**EVERYTHING), HERE) as they:
        juliet = await they.server.client("juliet")
        item = "<item jid='romeo@localhost'/>"
        juliet.send(f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'>{item}</block></iq>")
        await juliet.settle()
        component = await ready(they)
        assert condition(await component.ask(message(from_juliet()))) == "not-acceptable"
        answer = Privilege.find(await component.ask(iq(ping("romeo@localhost"))))
        assert answer is not None and answer.forwarded is not None
        assert condition(answer.forwarded.stanza) == "not-acceptable"


async def test_an_iq_is_sent_in_an_accounts_name(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(iq={PUBSUB: "set"}), HERE, OTHER) as they:
        await they.server.add_account("juliet")
        component, other = await ready(they), await they.component(OTHER)
        subscribe = f"<pubsub xmlns='{PUBSUB}'><subscribe node='urn:xmpp:microblog:0' jid='juliet@localhost'/></pubsub>"
        component.send(iq(f"<iq xmlns='{CLIENT}' type='set' to='{OTHER}' id='sub_1'>{subscribe}</iq>", kind="set"))
        asked = await other.receive()
        assert (asked.get("from"), asked.get("to"), asked.get("type")) == ("juliet@localhost", OTHER, "set")
        assert await component.settle() == [], "it isn't held up meanwhile"
        done = f"<pubsub xmlns='{PUBSUB}'><subscription subscription='subscribed'/></pubsub>"
        other.send(f"<iq type='result' id='{asked.get('id')}' from='{OTHER}' to='juliet@localhost'>{done}</iq>")
        answer = await component.receive()
        assert (answer.get("type"), answer.get("id"), answer.get("from")) == ("result", "priv_iq_1", "juliet@localhost")
        privilege = Privilege.find(answer)
        assert privilege is not None and privilege.forwarded is not None
        inner = privilege.forwarded.stanza
        assert (inner.get("id"), inner.get("from"), inner.get("to")) == ("sub_1", OTHER, "juliet@localhost")
        assert inner.first.first.get("subscription") == "subscribed"


async def test_what_is_published_in_an_accounts_name_is_its_doing(with_components: Callable[..., Any]) -> None:
    """A gateway adds bookmarks of its rooms: clients that keep them all in one element see them, too."""
    async with with_components(granting(iq={PUBSUB: "set"}), HERE) as they:
        juliet = await they.server.client("juliet/balcony")
        component = await ready(they)
        for room in "hall@rooms.localhost", "garden@rooms.localhost":
            item = f"<item id='{room}'><conference xmlns='urn:xmpp:bookmarks:1' name='Room'/></item>"
            publish = f"<pubsub xmlns='{PUBSUB}'><publish node='urn:xmpp:bookmarks:1'>{item}</publish></pubsub>"
            answer = await component.ask(iq(f"<iq xmlns='{CLIENT}' type='set' id='b'>{publish}</iq>", kind="set"))
            assert answer.get("type") == "result"
            asked = Element("pubsub", PUBSUB, Element("items", PUBSUB, node="storage:bookmarks"))
            assert f"jid='{room}'" in str(await juliet.ask(Element("iq", CLIENT, asked, type="get")))


async def test_errors_are_answers_too(with_components: Callable[..., Any]) -> None:
    async with with_components(granting(iq={"urn:xmpp:ping": "get", "urn:x": "get"}), HERE) as they:
        await they.server.add_account("juliet")
        component = await ready(they)
        unknown = f"<iq xmlns='{CLIENT}' type='get' id='sub_1'><x xmlns='urn:x'/></iq>"
        for inner, expected in (
            (ping("elsewhere.example"), "remote-server-not-found"),
            (unknown, "service-unavailable"),
        ):
            answer = Privilege.find(await component.ask(iq(inner)))
            assert answer is not None and answer.forwarded is not None
            assert condition(answer.forwarded.stanza) == expected
            assert answer.forwarded.stanza.get("id") == "sub_1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (iq(ping(), to="localhost"), "forbidden"),
        (iq(ping(), to="nobody@localhost"), "forbidden"),
        (iq(ping(), to="juliet@localhost/balcony"), "forbidden"),
        (iq(ping(kind="set"), kind="set"), "forbidden"),
        (iq(ping(kind="set")), "forbidden"),
        (iq(ping(more="from='romeo@localhost'")), "forbidden"),
        (iq(ping(more="from='juliet@localhost/balcony'")), "forbidden"),
        (iq(ping(ns="jabber:server")), "forbidden"),
        (iq(f"<iq xmlns='{CLIENT}' type='get' id='1'><query xmlns='{ROSTER}'/></iq>"), "forbidden"),
        (iq(f"<iq xmlns='{CLIENT}' type='get' id='1'/>"), "bad-request"),
        (iq(""), "bad-request"),
        (iq(ping() + ping()), "bad-request"),
    ],
)
async def test_iqs_that_are_not_sent(with_components: Callable[..., Any], text: str, expected: str) -> None:
    async with with_components(granting(iq={"urn:xmpp:ping": "get"}), HERE) as they:
        await they.server.client("juliet/balcony", presence=True)
        component = await ready(they)
        assert condition(await component.ask(text)) == expected


async def test_who_never_answers_is_given_up(with_components: Callable[..., Any]) -> None:
    clock = FakeClock()
    async with with_components(granting(iq={"urn:xmpp:ping": "get"}), HERE, OTHER, clock=clock) as they:
        await they.server.add_account("juliet")
        component, other = await ready(they), await they.component(OTHER)
        component.send(iq(ping(OTHER)))
        asked = await other.receive()
        clock.advance(60)
        answer = Privilege.find(await component.receive())
        assert answer is not None and answer.forwarded is not None
        assert condition(answer.forwarded.stanza) == "remote-server-timeout"
        other.send(f"<iq type='result' id='{asked.get('id')}' from='{OTHER}' to='juliet@localhost'/>")
        assert await component.settle() == []


async def test_only_so_many_wait(with_components: Callable[..., Any]) -> None:
    settings = granting(iq={"urn:xmpp:ping": "get"})
    settings["modules"]["privilege"]["max_requests"] = 2
    async with with_components(settings, HERE, OTHER) as they:
        await they.server.add_account("juliet")
        component, other = await ready(they), await they.component(OTHER)
        for _ in range(2):
            component.send(iq(ping(OTHER)))
            await other.receive()
        assert condition(await component.ask(iq(ping(OTHER)))) == "resource-constraint"


async def test_the_sdk_acts_for_an_account(with_components: Callable[..., Any], component_secret: str) -> None:
    async with with_components(granting(**EVERYTHING), HERE) as they:
        await they.server.add_account("juliet")
        romeo = await they.server.client("romeo", presence=True)
        async with Component(HERE, secret=component_secret, port=they.server.port("component")) as component:
            inner = Element("message", CLIENT, Element("body", CLIENT, "hello"), from_="juliet@localhost")
            forwarded = Element("forwarded", "urn:xmpp:forward:0", inner.set("to", romeo.jid.bare))
            await component.send(Message("localhost", None, Element("privilege", NS, forwarded)))
            assert (await romeo.receive()).get("from") == "juliet@localhost"
            asked = Element("iq", CLIENT, Element("ping", "urn:xmpp:ping"), type="get", id="1", to="localhost")
            answer = await component.request(PrivilegedIQ((asked,)), to="juliet@localhost", result=Privilege)
            assert answer.forwarded is not None and answer.forwarded.stanza.get("type") == "result"
            with pytest.raises(StanzaError, match="forbidden"):
                await component.request(PrivilegedIQ((asked,)), to="nobody@localhost", result=Privilege)


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ({HERE: {"presence": "roster"}}, 'needs roster = "get"'),
        ({HERE: {"presence": "roster", "roster": "set"}}, 'needs roster = "get"'),
        ({HERE: {"iq": {NS: "both"}}}, "can't be granted"),
        ({HERE: {"roster": "all"}}, "roster"),
        ({"user@" + HERE: {"roster": "get"}}, "should be the domain"),
        ({OTHER: {"roster": "get"}}, "is no component"),
    ],
)
async def test_what_cannot_be_granted(tmp_path: Path, components: dict[str, Any], problem: str) -> None:
    config = {
        "data": str(tmp_path),
        "listen": {"c2s": {"port": 0}, "component": {"port": 0}},
        "components": {HERE: {"secret": "a secret of some length"}},
        "hosts": {"localhost": {"modules_enabled": ["privilege"]}},
        "modules": {"privilege": {"components": components}},
    }
    with pytest.raises(ConfigError, match=problem):
        await Server(Config.model_validate(config)).start()
