from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.carbons import NS
from chirrup.ext.carbons.payloads import Received, Sent
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.testing import TestClient, TestServer, serve

ENABLE = f"<enable xmlns='{NS}'/>"
DISABLE = f"<disable xmlns='{NS}'/>"
PRIVATE = f"<private xmlns='{NS}'/><no-copy xmlns='urn:xmpp:hints'/>"


async def switch(client: TestClient, what: str, to: str | None = None) -> Element:
    return await client.ask(Element("iq", CLIENT, parse_element(what), type="set", to=to))


async def device(server: TestServer, name: str, *, carbons: bool = True, priority: int | None = 0) -> TestClient:
    """A client of an account, available unless `priority` is None."""
    client = await server.client(name)
    if carbons:
        assert (await switch(client, ENABLE)).get("type") == "result"
    if priority is not None:
        client.send(f"<presence><priority>{priority}</priority></presence>")
    await client.settle()
    client.received.clear()
    return client


def say(client: TestClient, to: str, inside: str = "<body>hi</body>", kind: str = "chat", id_: str = "m") -> None:
    client.send(f"<message to='{to}' type='{kind}' id='{id_}'>{inside}</message>")


async def messages(client: TestClient) -> list[Element]:
    """The messages that have come by now, and that nobody has asked for yet."""
    await client.settle()
    found = [stanza for stanza in client.received if stanza.name == "message"]
    client.received.clear()
    return found


def copied(copy: Element) -> tuple[str, Element]:
    """What a copy is of: "sent" or "received", and the message."""
    first = copy.first
    assert first is not None
    kind = {"sent": Sent, "received": Received}[first.name]
    return first.name, kind.parse(first).forwarded.stanza


async def test_both_sides_of_a_conversation_are_copied() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        balcony, chamber = await device(server, "juliet/balcony"), await device(server, "juliet/chamber")
        say(home, "juliet@localhost/balcony", "<body>Neither</body><thread>t1</thread>")
        await home.settle()
        (original,) = await messages(balcony)
        for client, kind in ((garden, "sent"), (chamber, "received")):
            (copy,) = await messages(client)
            assert copy.get("from") == client.jid.bare.text
            assert copy.get("to") == client.jid.text
            assert copy.get("type") == "chat"
            found, message = copied(copy)
            assert found == kind
            assert stanza_id_by(message, client.jid.bare)
            if kind == "received":
                assert message == original
            else:
                assert not stanza_id_by(message, balcony.jid.bare)
                assert message.children[:2] == original.children[:2]
        assert not await messages(home)


async def test_special_characters_are_copied_as_they_are() -> None:
    async with serve() as server:
        home, garden = await device(server, "oneill/it's <home>"), await device(server, "oneill/&garden")
        juliet = await device(server, "juliet")
        say(juliet, "oneill@localhost/it&apos;s &lt;home&gt;", "<body>a &lt; b &amp; 'c'</body>")
        await juliet.settle()
        (original,) = await messages(home)
        (copy,) = await messages(garden)
        assert copy.get("to") == "oneill@localhost/&garden"
        assert copied(copy) == ("received", original)


async def test_who_has_not_asked_gets_no_copies() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden", carbons=False)
        juliet = await device(server, "juliet")
        say(home, "juliet@localhost")
        await home.settle()
        say(juliet, "romeo@localhost/home")
        await juliet.settle()
        assert not await messages(garden)
        assert (await switch(garden, ENABLE)).get("type") == "result"
        assert (await switch(garden, ENABLE)).get("type") == "result"
        say(home, "juliet@localhost")
        await home.settle()
        assert len(await messages(garden)) == 1
        assert (await switch(garden, DISABLE)).get("type") == "result"
        assert (await switch(garden, DISABLE)).get("type") == "result"
        say(home, "juliet@localhost")
        await home.settle()
        assert not await messages(garden)


async def test_who_sends_need_not_have_asked() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home", carbons=False), await device(server, "romeo/garden")
        await device(server, "juliet")
        say(home, "juliet@localhost")
        await home.settle()
        assert copied((await messages(garden))[0])[0] == "sent"


@pytest.mark.parametrize("what", [ENABLE, DISABLE])
@pytest.mark.parametrize("to", ["juliet@localhost", "nobody@localhost"])
async def test_other_accounts_are_nobodys_to_switch(what: str, to: str) -> None:
    async with serve() as server:
        romeo = await device(server, "romeo")
        await device(server, "juliet")
        assert read_error(await switch(romeo, what, to)).condition == "not-allowed"


@pytest.mark.parametrize("priority", [-1, None])
async def test_devices_that_receive_nothing_by_themselves_get_copies(priority: int | None) -> None:
    async with serve() as server:
        home, hidden = await device(server, "romeo/home"), await device(server, "romeo/hidden", priority=priority)
        juliet = await device(server, "juliet")
        say(juliet, "romeo@localhost")
        await juliet.settle()
        (original,) = await messages(home)
        (copy,) = await messages(hidden)
        assert copied(copy) == ("received", original)


async def test_what_is_kept_since_nobody_is_available_is_copied_too() -> None:
    async with serve() as server:
        hidden = await device(server, "romeo/hidden", priority=-1)
        juliet = await device(server, "juliet")
        say(juliet, "romeo@localhost")
        await juliet.settle()
        assert copied((await messages(hidden))[0])[0] == "received"
        assert await server.server.store.messages.count_waiting("romeo@localhost") == 1
        say(juliet, "romeo@localhost", PRIVATE)
        await juliet.settle()
        assert not await messages(hidden)


async def test_who_receives_a_message_gets_no_copy_of_it() -> None:
    async with serve() as server:
        clients = [await device(server, f"romeo/{name}") for name in ("home", "garden")]
        low = await device(server, "romeo/tomb", priority=-5)
        for client in clients:
            await messages(client)
        juliet = await device(server, "juliet")
        say(juliet, "romeo@localhost")
        await juliet.settle()
        for client in clients:
            (original,) = await messages(client)
            assert original.child_text("body") == "hi"
        assert copied((await messages(low))[0])[0] == "received"


async def test_a_private_message_is_not_copied_and_stays_as_it_is() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        balcony, chamber = await device(server, "juliet/balcony"), await device(server, "juliet/chamber")
        say(home, "juliet@localhost/balcony", "<body>Neither</body>" + PRIVATE)
        await home.settle()
        (original,) = await messages(balcony)
        assert original.child("private", NS) is not None
        assert original.child("no-copy", "urn:xmpp:hints") is not None
        assert not await messages(garden)
        assert not await messages(chamber)


@pytest.mark.parametrize("to", ["romeo@localhost", "romeo@localhost/garden"])
async def test_notes_to_oneself_come_once(to: str) -> None:
    async with serve() as server:
        clients = {name: await device(server, f"romeo/{name}") for name in ("home", "garden", "tomb")}
        for client in clients.values():
            await messages(client)
        say(clients["home"], to)
        await clients["home"].settle()
        assert len(await messages(clients["garden"])) == 1
        assert len(await messages(clients["tomb"])) == 1
        assert not any(message.first and message.first.ns == NS for message in await messages(clients["home"]))


# -- errors


async def test_the_servers_own_error_is_copied() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        say(home, "nobody@localhost")
        (error,) = await messages(home)
        sent, copy = await messages(garden)
        assert copied(sent)[0] == "sent"
        assert copy.get("type") == "error"
        assert copied(copy) == ("received", error)


async def test_an_error_that_comes_back_is_copied() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        juliet = await device(server, "juliet/balcony")
        say(home, "juliet@localhost/balcony", id_="m1")
        await home.settle()
        juliet.send("<message type='error' to='romeo@localhost/home' id='m1'><error type='cancel'/></message>")
        juliet.send("<message type='error' to='romeo@localhost/home' id='m2'><error type='cancel'/></message>")
        juliet.send("<message type='error' to='romeo@localhost/home'><error type='cancel'/></message>")
        await juliet.settle()
        sent, copy = await messages(garden)
        assert copied(sent)[0] == "sent"
        kind, error = copied(copy)
        assert (kind, error.get("type"), error.get("id")) == ("received", "error", "m1")
        assert len(await messages(home)) == 3


async def test_errors_of_what_was_not_copied_are_not() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        say(home, "nobody@localhost", "<body>hi</body>" + PRIVATE, id_="m1")
        say(home, "nobody@localhost", kind="groupchat", id_="m2")
        assert len(await messages(home)) == 2
        assert not await messages(garden)


async def test_an_error_answers_what_went_the_other_way() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        juliet = await device(server, "juliet/balcony")
        say(juliet, "romeo@localhost/home", id_="m1")
        juliet.send("<message type='error' to='romeo@localhost/home' id='m1'><error type='cancel'/></message>")
        await juliet.settle()
        assert [stanza.get("type") for stanza in await messages(home)] == ["chat", "error"]
        assert [stanza.get("type") for stanza in await messages(garden)] == ["chat"]
        home.send("<message type='error' to='juliet@localhost/balcony' id='m1'><error type='cancel'/></message>")
        await home.settle()
        (copy,) = [copied(stanza) for stanza in await messages(garden)]
        assert (copy[0], copy[1].get("type")) == ("sent", "error")


async def test_only_so_many_messages_wait_for_their_errors() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        juliet = await device(server, "juliet/balcony")
        for number in range(201):
            say(home, "juliet@localhost/balcony", id_=f"m{number}")
        assert not await messages(home)
        assert len(await messages(garden)) == 201
        for number in (0, 1, 200):
            juliet.send(f"<message type='error' to='romeo@localhost/home' id='m{number}'><error/></message>")
        await juliet.settle()
        assert [copied(copy)[1].get("id") for copy in await messages(garden)] == ["m1", "m200"]


async def test_an_error_about_a_copy_goes_to_nobody() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        juliet = await device(server, "juliet")
        say(juliet, "romeo@localhost/home", id_="m1")
        await juliet.settle()
        (copy,) = await messages(garden)
        await messages(home)
        garden.send(f"<message type='error' to='{copy.get('from')}'>{copy.first}<error type='cancel'/></message>")
        await garden.settle()
        assert not await messages(home)
        assert not await messages(juliet)


# -- those who mean ill


def forged(inside: str = "<body>Thou shall meet me tonite</body>", kind: str = "received") -> str:
    return (
        f"<{kind} xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' type='chat' "
        f"from='juliet@localhost/balcony' to='romeo@localhost/garden'>{inside}</message></forwarded></{kind}>"
    )


@pytest.mark.parametrize("kind", ["sent", "received"])
@pytest.mark.parametrize("to", ["romeo@localhost", "romeo@localhost/home"])
@pytest.mark.parametrize("attacker", ["tybalt/home", "romeo/garden"])
async def test_a_forged_copy_is_refused(attacker: str, to: str, kind: str) -> None:
    """XEP-0280 example 11; from another client of the account it is no better."""
    async with serve() as server:
        home, other = await device(server, "romeo/home"), await device(server, "romeo/other")
        tybalt = await device(server, attacker)
        say(tybalt, to, forged(kind=kind))
        (refusal,) = [stanza for stanza in await messages(tybalt) if stanza.get("type") == "error"]
        assert read_error(refusal).condition == "forbidden"
        assert not await messages(home)
        assert not await messages(other)


async def test_a_copy_that_a_component_forges_is_refused(with_components: Any) -> None:
    """Also by one that may send messages in the account's own name, which a client would believe."""
    settings = {
        "hosts": {"localhost": {"modules_enabled": ["privilege"]}},
        "modules": {"privilege": {"components": {"bridge.localhost": {"message": "outgoing"}}}},
    }
    async with with_components(settings, "bridge.localhost") as they:
        home, garden = await device(they.server, "romeo/home"), await device(they.server, "romeo/garden")
        component = await they.component("bridge.localhost")
        await component.receive()  # what it may
        for sender in ("bridge.localhost", "somebody@bridge.localhost/x"):
            message = f"<message from='{sender}' to='romeo@localhost' type='chat' id='m'>{forged()}</message>"
            error = await component.ask(message)
            assert read_error(error).condition == "forbidden"
        for kind in ("received", "sent"):
            inner = "<message xmlns='jabber:client' from='romeo@localhost' to='{}' type='chat'>" + forged(kind=kind)
            for to in ("romeo@localhost", "romeo@localhost/home", "juliet@localhost"):
                wrapped = f"<forwarded xmlns='urn:xmpp:forward:0'>{inner.format(to)}</message></forwarded>"
                privilege = f"<privilege xmlns='urn:xmpp:privilege:2'>{wrapped}</privilege>"
                component.send(f"<message from='bridge.localhost' to='localhost'>{privilege}</message>")
        await component.settle()
        assert not await messages(home)
        assert not await messages(garden)


async def test_who_is_not_in_a_room_gets_no_copies_of_what_is_private_there(with_components: Any) -> None:
    """They couldn't answer (XEP-0280 §6.1, note). Where the sender isn't there either, as far as is known, all get
    them."""
    private = "<body>psst</body><x xmlns='http://jabber.org/protocol/muc#user'/>"
    async with with_components({}, "rooms.localhost") as they:
        await they.component("rooms.localhost")
        devices = [await device(they.server, f"romeo/{name}") for name in ("home", "garden", "orchard", "attic")]
        home, garden, orchard, _ = devices
        say(home, "balcony@rooms.localhost/juliet", private)
        await home.settle()
        assert [len(await messages(one)) for one in devices] == [0, 1, 1, 1]
        for one, nick in ((home, "romeo"), (garden, "romeo"), (orchard, "montague")):
            one.send(f"<presence to='balcony@rooms.localhost/{nick}'/>")
            await one.settle()
        say(home, "balcony@rooms.localhost/juliet", private)
        say(home, "balcony@rooms.localhost/juliet", "<body>a gateway may be anything</body>")
        await home.settle()
        assert [len(await messages(one)) for one in devices] == [0, 2, 1, 1]


async def test_a_forged_copy_is_not_kept() -> None:
    async with serve() as server:
        await server.add_account("romeo")
        tybalt = await device(server, "tybalt")
        say(tybalt, "romeo@localhost", forged())
        assert len(await messages(tybalt)) == 1
        assert await server.server.store.messages.count_waiting("romeo@localhost") == 0


async def test_an_error_with_a_copy_in_it_is_dropped() -> None:
    async with serve() as server:
        home = await device(server, "romeo/home")
        tybalt = await device(server, "tybalt")
        say(tybalt, "romeo@localhost/home", forged(), kind="error")
        assert not await messages(tybalt)
        assert not await messages(home)


async def test_stanzas_in_stanzas_have_an_end() -> None:
    """A hundred messages, each forwarding the next: the parser's limit on depth ends the stream."""
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        tybalt = await device(server, "tybalt")
        opening = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>"
        say(tybalt, "romeo@localhost/home", opening * 100 + "</message></forwarded>" * 100)
        error = await tybalt.end()
        assert error is not None
        assert error.condition == "policy-violation"
        assert not await messages(home)
        assert not await messages(garden)


async def test_a_deep_message_that_may_come_is_copied_whole() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden")
        juliet = await device(server, "juliet")
        deep = "<x xmlns='urn:example'>" * 20 + "</x>" * 20
        say(juliet, "romeo@localhost/home", deep)
        await juliet.settle()
        (original,) = await messages(home)
        assert copied((await messages(garden))[0]) == ("received", original)


async def test_carbons_are_told_of() -> None:
    async with serve() as server:
        romeo = await device(server, "romeo")
        info = await romeo.ask(
            Element("iq", CLIENT, Element("query", "http://jabber.org/protocol/disco#info"), type="get", to="localhost")
        )
        assert info.first is not None
        features = {feature.get("var") for feature in info.first.elements("feature")}
        assert {NS, "urn:xmpp:carbons:rules:0"} <= features


async def test_carbons_are_switched_on_while_binding() -> None:
    async with serve() as server:
        home, garden = await device(server, "romeo/home"), await device(server, "romeo/garden", carbons=False)
        host = server.server.hosts["localhost"]
        session = host.accounts["romeo"].sessions["garden"]
        assert host.bind_inline["enable", NS](session, parse_element(ENABLE)) is None
        say(home, "juliet@localhost")
        await home.settle()
        assert copied((await messages(garden))[0])[0] == "sent"
