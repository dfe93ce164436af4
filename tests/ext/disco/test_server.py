from __future__ import annotations

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.disco import INFO, ITEMS
from chirrup.ext.disco.payloads import Feature, Identity, Info, Item, Items
from chirrup.ext.disco.server import Disco
from chirrup.server.module import Addressee
from chirrup.testing import TestClient, TestServer, serve


async def ask(client: TestClient, to: str | None, ns: str, node: str | None = None) -> Element:
    return await client.ask(Element("iq", CLIENT, Element("query", ns, node=node), type="get", to=to))


async def info(client: TestClient, to: str | None) -> Info:
    answer = await ask(client, to, INFO)
    assert answer.get("type") == "result", answer
    found = Info.find(answer)
    assert found is not None
    return found


async def items(client: TestClient, to: str | None) -> tuple[Item, ...]:
    answer = await ask(client, to, ITEMS)
    assert answer.get("type") == "result", answer
    found = Items.find(answer)
    assert found is not None
    return found.items


async def error(client: TestClient, to: str | None, ns: str, node: str | None = None) -> str:
    answer = await ask(client, to, ns, node)
    assert answer.get("type") == "error", answer
    return read_error(answer).condition


def disco(server: TestServer) -> Disco:
    return server.server.hosts[server.domain].module(Disco)


async def befriend(subscriber: TestClient, contact: TestClient) -> None:
    """Let `subscriber` see the presence of `contact`."""
    contact.send(f"<presence type='subscribed' to='{subscriber.jid.bare}'/>")
    await contact.settle()
    subscriber.send(f"<presence type='subscribe' to='{contact.jid.bare}'/>")
    await subscriber.settle()
    await contact.settle()


async def test_the_host_tells_what_its_modules_declare() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        told = await info(alice, "localhost")
        assert told.identities == (Identity("pubsub", "pep"), Identity("server", "im"))
        names = [feature.var for feature in told.features]
        assert names == sorted(set(names))
        declared = {name for module in server.server.hosts["localhost"].modules.values() for name in module.features}
        assert set(names) == declared >= {INFO, ITEMS, "urn:xmpp:ping"}


async def test_a_module_switched_off_declares_nothing() -> None:
    async with serve({"hosts": {"localhost": {"modules_disabled": ["ping"]}}}) as server:
        alice = await server.client("alice")
        assert Feature("urn:xmpp:ping") not in (await info(alice, "localhost")).features


@pytest.mark.parametrize("to", [None, "alice@localhost"])
async def test_an_account_and_its_resources_are_told_to_itself(to: str | None) -> None:
    async with serve() as server:
        alice = await server.client("alice", presence=True)
        await server.client("alice")  # not available
        told = await info(alice, to)
        assert told.identities == (Identity("account", "registered"), Identity("pubsub", "pep"))
        assert {Feature(INFO), Feature(ITEMS)} <= set(told.features)
        assert await items(alice, to) == (Item(alice.jid),)


async def test_a_subscriber_is_told_of_an_account() -> None:
    async with serve() as server:
        alice = await server.client("alice", presence=True)
        bob = await server.client("bob", presence=True)
        await befriend(alice, bob)
        assert Identity("account", "registered") in (await info(alice, "bob@localhost")).identities
        assert await items(alice, "bob@localhost") == (Item(bob.jid),)
        assert await error(bob, "alice@localhost", INFO) == "service-unavailable"


@pytest.mark.parametrize("node", [None, "music"])
async def test_others_cannot_tell_whether_an_account_exists(node: str | None) -> None:
    async with serve() as server:
        alice = await server.client("alice", presence=True)
        await server.client("bob", presence=True)
        await server.add_account("carol")
        for about in ("bob@localhost", "carol@localhost", "nobody@localhost"):
            assert await error(alice, about, INFO, node) == "service-unavailable"
            answer = await ask(alice, about, ITEMS, node)
            assert answer.get("type") == "result"
            assert Items.find(answer) == Items(node)


@pytest.mark.parametrize("to", [None, "localhost"])
@pytest.mark.parametrize("ns", [INFO, ITEMS])
async def test_there_are_no_nodes(to: str | None, ns: str) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        assert await error(alice, to, ns, "music") == "item-not-found"


async def test_an_account_of_an_anonymous_host() -> None:
    async with serve({"hosts": {"guests": {"authentication": "anonymous"}}}) as server:
        guest = await server.guest("guests")
        assert (await info(guest, None)).identities == (Identity("account", "anonymous"),)


async def test_services_of_the_configuration() -> None:
    services = {"Rooms.localhost": "Rooms", "upload.localhost": ""}
    async with serve({"modules": {"disco": {"services": services}}}) as server:
        alice = await server.client("alice")
        told = await items(alice, "localhost")
        assert [(item.jid.text, item.name) for item in told] == [
            ("rooms.localhost", "Rooms"),
            ("upload.localhost", None),
        ]


async def test_modules_add_forms_and_items() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        form = Element("x", "jabber:x:data", type="result")
        item = Item(alice.jid.host, "here")
        before = await info(alice, "localhost")
        undo = [disco(server).add_form(form), disco(server).add_item(item)]
        assert form in (await info(alice, "localhost")).forms
        assert await items(alice, "localhost") == (item,)
        for take_away in undo:
            take_away()
        assert await info(alice, "localhost") == before == disco(server).info(Addressee.HOST)
        assert await items(alice, "localhost") == ()
