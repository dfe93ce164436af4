"""Delegated namespaces: the examples of XEP-0355, components that answer wrongly or not at all, and who goes around."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import ConfigError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delegation.payloads import Delegation
from chirrup.server.app import Server
from chirrup.server.config import Config
from chirrup.testing import FakeClock

NS = "urn:xmpp:delegation:2"
PUBSUB = "http://jabber.org/protocol/pubsub"
ROSTER = "jabber:iq:roster"
PING = "urn:xmpp:ping"
INFO = "http://jabber.org/protocol/disco#info"
HERE, OTHER = "pubsub.localhost", "other.localhost"


def delegating(namespace: str = PUBSUB, *attributes: str, **more: Any) -> dict[str, Any]:
    only = {"attributes": list(attributes)} if attributes else {}
    return {
        "hosts": {"localhost": {"modules_enabled": ["delegation", "privilege"]}},
        "modules": {"delegation": {"components": {HERE: {namespace: only}}, **more}},
    }


class Manager:
    """A component that has been told what is delegated to it, and was asked what it can do."""

    def __init__(self, component: Any) -> None:
        self.component = component

    @classmethod
    async def connect(cls, they: Any, *, host: str = "", account: str = "") -> Manager:
        """`host` and `account` are what it tells of itself for service discovery, as XML."""
        component = await they.component(HERE)
        told = await component.receive()
        assert told.name == "message"
        for _ in range(2):
            asked = await component.receive()
            node = asked.first.get("node")
            told = account if ":bare:" in node else host
            query = f"<query xmlns='{INFO}' node='{node}'>{told}</query>"
            component.send(f"<iq type='result' id='{asked.get('id')}' from='{HERE}' to='localhost'>{query}</iq>")
        assert await component.settle() == []
        return cls(component)

    async def asked(self) -> tuple[str, Element]:
        """The next request that is delegated: the id of what it is wrapped in, and the request."""
        stanza = await self.component.receive()
        assert (stanza.get("from"), stanza.get("type")) == ("localhost", "set"), stanza
        delegation = Delegation.find(stanza)
        assert delegation is not None and delegation.forwarded is not None
        return stanza.get("id"), delegation.forwarded.stanza

    def answer(self, identifier: str, inner: str) -> None:
        forwarded = f"<forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded>"
        delegation = f"<delegation xmlns='{NS}'>{forwarded}</delegation>"
        self.component.send(f"<iq type='result' id='{identifier}' from='{HERE}' to='localhost'>{delegation}</iq>")


def request(namespace: str = PUBSUB, *, to: str = "", kind: str = "set", more: str = "", name: str = "pubsub") -> str:
    addressed = f"to='{to}'" if to else ""
    return f"<iq type='{kind}' id='pep1' {addressed}><{name} xmlns='{namespace}' {more}/></iq>"


def inner(to: str, *, kind: str = "result", id: str = "pep1", more: str = "", payload: str = "") -> str:  # noqa: A002
    return f"<iq xmlns='{CLIENT}' to='{to}' id='{id}' type='{kind}' {more}>{payload}</iq>"


def condition(answer: Element) -> str:
    assert answer.get("type") == "error", answer
    error = answer.child("error")
    assert error is not None and error.first is not None
    return error.first.name


async def test_what_is_delegated_is_told(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating("urn:xmpp:mam:2", "node"), HERE, OTHER) as they:
        component = await they.component(HERE)
        told = await component.receive()
        assert (told.name, told.get("from"), told.get("to")) == ("message", "localhost", HERE)
        delegation = Delegation.find(told)
        assert delegation is not None
        [delegated] = delegation.delegated
        assert delegated.namespace == "urn:xmpp:mam:2"
        assert [one.name for one in delegated.attributes] == ["node"]
        assert await (await they.component(OTHER)).settle() == []


@pytest.mark.parametrize("to", ["", "juliet@localhost", "localhost", "nurse@localhost"])
async def test_the_component_answers_in_the_servers_place(with_components: Callable[..., Any], to: str) -> None:
    async with with_components(delegating(), HERE) as they:
        await they.server.add_account("nurse")
        juliet = await they.server.client("juliet/balcony")
        manager = await Manager.connect(they)
        juliet.send(request(to=to))
        identifier, asked = await manager.asked()
        assert (asked.get("from"), asked.get("to"), asked.get("id")) == (juliet.jid.text, to, "pep1")
        assert asked.first.ns == PUBSUB
        source = f"from='{to}'" if to else ""
        manager.answer(identifier, inner(juliet.jid.text, more=source, payload=f"<pubsub xmlns='{PUBSUB}'/>"))
        answer = await juliet.receive()
        assert (answer.get("type"), answer.get("id"), answer.get("from")) == ("result", "pep1", to)
        assert answer.first.ns == PUBSUB


async def test_nobody_waits_for_what_another_asked(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet")
        manager = await Manager.connect(they)
        juliet.send(request())
        identifier, _ = await manager.asked()
        await juliet.settle()
        assert not juliet.received
        manager.answer(identifier, inner(juliet.jid.text))
        assert (await juliet.receive()).get("type") == "result"


@pytest.mark.parametrize(
    "wrong",
    [
        inner("juliet@localhost/balcony", kind="error"),
        inner("juliet@localhost/balcony", kind="set"),
        inner("juliet@localhost/balcony", id="pep2"),
        inner("romeo@localhost/orchard"),
        inner("juliet@localhost"),
        inner("@"),
        inner("juliet@localhost/balcony", more="from='localhost'"),
        inner("juliet@localhost/balcony", more="from='romeo@localhost'"),
        inner("juliet@localhost/balcony", payload="<a xmlns='urn:a'/><b xmlns='urn:b'/>"),
        f"<message xmlns='{CLIENT}' to='juliet@localhost/balcony' id='pep1' type='result'/>",
        "",
    ],
)
async def test_wrong_answers(with_components: Callable[..., Any], wrong: str) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet/balcony")
        manager = await Manager.connect(they)
        juliet.send(request())
        identifier, _ = await manager.asked()
        manager.answer(identifier, wrong)
        assert condition(await juliet.receive()) == "service-unavailable"


async def test_answers_by_others_do_not_count(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE, OTHER) as they:
        juliet = await they.server.client("juliet/balcony")
        manager, other = await Manager.connect(they), await they.component(OTHER)
        juliet.send(request())
        identifier, _ = await manager.asked()
        forged = f"<forwarded xmlns='urn:xmpp:forward:0'>{inner(juliet.jid.text)}</forwarded>"
        other.send(
            f"<iq type='result' id='{identifier}' from='{OTHER}' to='localhost'>"
            f"<delegation xmlns='{NS}'>{forged}</delegation></iq>"
        )
        await other.settle()
        await juliet.settle()
        assert not juliet.received


async def test_errors_of_the_component(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet")
        manager = await Manager.connect(they)
        juliet.send(request())
        identifier, _ = await manager.asked()
        refused = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        manager.component.send(f"<iq type='error' id='{identifier}' from='{HERE}' to='localhost'>{refused}</iq>")
        assert condition(await juliet.receive()) == "service-unavailable"


async def test_a_component_that_is_not_there_or_goes(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet")
        juliet.send(request())
        assert condition(await juliet.receive()) == "service-unavailable"
        manager = await Manager.connect(they)
        juliet.send(request())
        await manager.asked()
        manager.component.close()
        assert condition(await juliet.receive()) == "service-unavailable"


async def test_a_component_that_takes_too_long(with_components: Callable[..., Any]) -> None:
    clock = FakeClock()
    async with with_components(delegating(), HERE, clock=clock) as they:
        juliet = await they.server.client("juliet")
        manager = await Manager.connect(they)
        juliet.send(request())
        await manager.asked()
        clock.advance(30)
        assert condition(await juliet.receive()) == "service-unavailable"


async def test_requests_without_the_attribute_are_the_servers(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(PING, "node"), HERE) as they:
        juliet = await they.server.client("juliet")
        manager = await Manager.connect(they)
        juliet.send(request(PING, kind="get", name="ping"))
        assert (await juliet.receive()).get("type") == "result"
        juliet.send(request(PING, kind="get", name="ping", more="node='x'"))
        _, asked = await manager.asked()
        assert asked.first.get("node") == "x"


async def test_nothing_else_is_delegated(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(PING), HERE) as they:
        juliet = await they.server.client("juliet/balcony", presence=True)
        manager = await Manager.connect(they)
        juliet.send(request(PING, kind="get", name="ping", to=juliet.jid.text))
        assert (await juliet.receive()).get("type") == "get", "to a client"
        juliet.send("<iq type='get' id='1'><query xmlns='jabber:iq:version'/></iq>")
        await juliet.receive()
        assert await manager.component.settle() == []


async def test_the_component_itself_is_answered_by_the_server(with_components: Callable[..., Any]) -> None:
    settings = delegating(ROSTER)
    settings["modules"]["privilege"] = {"components": {HERE: {"roster": "set", "iq": {ROSTER: "get"}}}}
    async with with_components(settings, HERE) as they:
        juliet = await they.server.client("juliet")
        component = await they.component(HERE)
        while (await component.receive()).name != "iq":
            pass
        await component.receive()
        item = f"<query xmlns='{ROSTER}'><item jid='romeo@montaigu.lit'><group>Rivals</group></item></query>"
        answer = await component.ask(f"<iq type='set' id='r' from='{HERE}' to='juliet@localhost'>{item}</iq>")
        assert answer.get("type") == "result"
        wrapped = f"<iq xmlns='{CLIENT}' type='get' id='1'><query xmlns='{ROSTER}'/></iq>"
        privileged = f"<privileged_iq xmlns='urn:xmpp:privilege:2'>{wrapped}</privileged_iq>"
        answer = await component.ask(f"<iq type='get' id='p' from='{HERE}' to='juliet@localhost'>{privileged}</iq>")
        assert "montaigu" in str(answer), "also where it asks in an account's name"
        await juliet.settle()


async def test_accounts_that_do_not_exist_or_block(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet")
        nurse = await they.server.client("nurse")
        manager = await Manager.connect(they)
        juliet.send("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='nurse@localhost'/></block></iq>")
        await juliet.receive()
        for to in ("nobody@localhost", "juliet@localhost"):
            nurse.send(request(to=to))
            assert condition(await nurse.receive()) == "service-unavailable"
        assert await manager.component.settle() == []


async def test_only_so_many_wait(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(max_requests_per_sender=2, max_requests=3), HERE) as they:
        juliet, nurse = await they.server.client("juliet"), await they.server.client("nurse")
        manager = await Manager.connect(they)
        for client, number in ((juliet, 2), (nurse, 1)):
            for _ in range(number):
                client.send(request())
            waiting = [await manager.asked() for _ in range(number)]
            client.send(request())
            assert condition(await client.receive()) == "resource-constraint"
        manager.answer(waiting[0][0], inner(nurse.jid.text))
        assert (await nurse.receive()).get("type") == "result"
        nurse.send(request())
        await manager.asked()


async def features(client: Any, to: str) -> tuple[set[str], set[str]]:
    answer = await client.ask(Element("iq", CLIENT, Element("query", INFO), type="get", to=to))
    query = answer.first
    identities = {f"{one.get('category')}/{one.get('type')}" for one in query.elements("identity")}
    return {one.get("var") for one in query.elements("feature")}, identities


async def test_discovery_tells_what_the_component_can_do(with_components: Callable[..., Any]) -> None:
    async with with_components(delegating(), HERE) as they:
        juliet = await they.server.client("juliet")
        own, _ = await features(juliet, "juliet@localhost")
        assert not any(var.startswith(PUBSUB) for var in own), "nobody answers those while it is away"
        publish = f"<feature var='{PUBSUB}#publish-options'/>"
        personal = f"<identity category='pubsub' type='pep'/><feature var='{PUBSUB}#auto-create'/>"
        await Manager.connect(they, host=publish, account=personal)
        host, _ = await features(juliet, "localhost")
        assert NS in host
        assert {var for var in host if var.startswith(PUBSUB)} == {f"{PUBSUB}#publish-options"}
        account, identities = await features(juliet, "juliet@localhost")
        assert {var for var in account if var.startswith(PUBSUB)} == {f"{PUBSUB}#auto-create"}
        assert identities == {"account/registered", "pubsub/pep"}


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ({HERE: {NS: {}}}, "can't be delegated"),
        ({HERE: {f"{NS}:bare:disco#info:*": {}}}, "can't be delegated"),
        ({HERE: {PUBSUB: {}}, OTHER: {PUBSUB: {}}}, "to both"),
        ({f"user@{HERE}": {PUBSUB: {}}}, "should be the domain"),
        ({OTHER: {PUBSUB: {}}}, "is no component"),
    ],
)
async def test_what_cannot_be_delegated(tmp_path: Path, components: dict[str, Any], problem: str) -> None:
    config = {
        "data": str(tmp_path),
        "listen": {"c2s": {"port": 0}, "component": {"port": 0}},
        "components": {HERE: {"secret": "a secret of some length"}},
        "hosts": {"localhost": {"modules_enabled": ["delegation"]}},
        "modules": {"delegation": {"components": components}},
    }
    with pytest.raises(ConfigError, match=problem):
        await Server(Config.model_validate(config)).start()
