"""Capabilities of people elsewhere: whom the server asks, and who must not notice that there is somebody to ask."""

from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.jid import JID
from chirrup.core.stanza import result
from chirrup.core.xml import Element
from chirrup.ext.caps.hashes import verification_string
from chirrup.ext.caps.payloads import Caps
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.disco import INFO
from chirrup.ext.disco.payloads import Feature, Identity, Info

TUNE = Info(None, (Identity("client", "pc", "Player"),), (Feature(INFO), Feature("tune+notify")))
ORCHARD = "romeo@example.net/orchard"
OPEN = (
    "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='blog'><item>"
    "<x xmlns='urn:test'/></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"
    "<field var='pubsub#access_model'><value>open</value></field></x></publish-options></pubsub></iq>"
)


def shown(sender: str = ORCHARD, node: str = "urn:player") -> str:
    caps = Caps(node, verification_string(TUNE), "sha-1").to_element()
    return str(Element("presence", "", caps, from_=sender, to="juliet@localhost"))


def asked(other: Any) -> list[Element]:
    return [stanza for stanza in other.received if stanza.name == "iq"]


async def answer(other: Any, request: Element, info: Info) -> None:
    element = result(request, info.to_element())
    element.ns = ""
    await other.send(str(element))


async def test_strangers_are_not_asked(chirrup_server: Any, remote: Any) -> None:
    """They would learn that the account exists and is there."""
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        for to in ("juliet@localhost", juliet.jid.text):
            await other.send(shown().replace("juliet@localhost", to))
            await juliet.settle()
        assert not other.received


async def test_who_may_ask_for_one_account_is_none_for_another(chirrup_server: Any, remote: Any) -> None:
    """Else a contact of Juliet's would learn by a question in her name that Nurse is there."""
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet, nurse = await server.client("juliet", presence=True), await server.client("nurse", presence=True)
        juliet.send(f"<presence to='{ORCHARD}'/>")
        await juliet.settle()
        await other.send(shown())
        await juliet.settle()
        await answer(other, asked(other)[0], TUNE)
        await juliet.settle()
        changed = shown().replace(verification_string(TUNE), "another")
        await other.send(changed.replace("juliet@localhost", "nurse@localhost"))
        await nurse.settle()
        assert len(asked(other)) == 1
        await other.send(changed)
        await juliet.settle()
        assert len(asked(other)) == 2


async def test_without_rosters_there_are_strangers_only(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server({"hosts": {"localhost": {"modules_disabled": ["roster"]}}}) as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet")
        await other.send(shown())
        await juliet.settle()
        assert not other.received


async def test_who_is_seen_but_does_not_see_is_not_asked(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        juliet.send("<presence type='subscribe' to='romeo@example.net'/>")
        await juliet.settle()
        await other.send("<presence type='subscribed' from='romeo@example.net' to='juliet@localhost'/>")
        await other.send(shown())
        await juliet.settle()
        assert not asked(other)
        # As soon as both see each other he is asked what he showed then: he won't show it again.
        await other.send("<presence type='subscribe' from='romeo@example.net' to='juliet@localhost'/>")
        juliet.send("<presence type='subscribed' to='romeo@example.net'/>")
        await juliet.settle()
        (request,) = asked(other)
        await answer(other, request, TUNE)
        await juliet.settle()
        capabilities = server.server.hosts["localhost"].module(Capabilities)
        assert capabilities.features_of(JID(ORCHARD)) == {INFO, "tune+notify"}


@pytest.mark.parametrize(
    "reason",
    [
        "<presence type='subscribed' to='romeo@example.net'/>",  # and the request below
        f"<presence to='{ORCHARD}'/>",
        OPEN,
    ],
)
async def test_those_who_may_know_are_asked(chirrup_server: Any, remote: Any, reason: str) -> None:
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        juliet.send(reason)
        await juliet.settle()
        if "subscribed" in reason:
            await other.send("<presence type='subscribe' from='romeo@example.net' to='juliet@localhost'/>")
        await other.send(shown())
        await juliet.settle()
        (request,) = asked(other)
        assert (request.get("from"), request.get("to")) == ("juliet@localhost", ORCHARD)
        await answer(other, request, TUNE)
        await juliet.settle()
        capabilities = server.server.hosts["localhost"].module(Capabilities)
        features = capabilities.features_of(JID(ORCHARD))
        assert features == {INFO, "tune+notify"}


async def test_of_many_with_one_hash_one_is_asked(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        senders = [f"somebody{number}@example.net/x" for number in range(100)]
        for sender in senders:
            juliet.send(f"<presence to='{sender}'/>")
        await juliet.settle()
        for sender in senders:
            await other.send(shown(sender))
        await juliet.settle()
        (request,) = asked(other)
        await answer(other, request, TUNE)
        await juliet.settle()
        capabilities = server.server.hosts["localhost"].module(Capabilities)
        for sender in senders:
            assert capabilities.features_of(JID(sender)) == {INFO, "tune+notify"}
        assert len(asked(other)) == 1


async def test_strangers_do_not_take_the_places_of_contacts(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server({"modules": {"caps": {"max_remote": 100}}}) as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        juliet.send("<presence type='subscribed' to='romeo@example.net'/>")
        await juliet.settle()
        await other.send("<presence type='subscribe' from='romeo@example.net' to='juliet@localhost'/>")
        await other.send(shown())
        await juliet.settle()
        await answer(other, asked(other)[0], TUNE)
        await juliet.settle()
        for number in range(150):
            await other.send(shown(f"stranger{number}@example.net/x"))
        capabilities = server.server.hosts["localhost"].module(Capabilities)
        known = [capabilities.features_of(JID(f"stranger{number}@example.net/x")) for number in range(150)]
        assert sum(features is not None for features in known) == 99
        assert capabilities.features_of(JID(ORCHARD)) == {INFO, "tune+notify"}


async def test_one_account_may_have_contacts_with_many_kinds_of_clients(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server({"modules": {"caps": {"max_new_per_account": 2}}}) as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)

        async def show(local: str, info: Info) -> bool:
            """Whether that contact is asked."""
            before = len(asked(other))
            caps = Caps("urn:player", verification_string(info), "sha-1").to_element()
            sender = f"{local}@example.net/x"
            await other.send(str(Element("presence", "", caps, from_=sender, to="juliet@localhost")))
            await juliet.settle()
            for request in asked(other)[before:]:
                await answer(other, request, info)
            await juliet.settle()
            return len(asked(other)) > before

        infos = [Info(None, TUNE.identities, (Feature(f"feature {number}"),)) for number in range(5)]
        for number in range(5):
            for local in (f"one{number}", f"two{number}", "mallory"):
                juliet.send(f"<presence to='{local}@example.net/x'/>")
        await juliet.settle()
        for number, info in enumerate(infos):
            assert await show(f"one{number}", info)
            assert not await show(f"two{number}", info)
        others = [Info(None, TUNE.identities, (Feature(f"other {number}"),)) for number in range(4)]
        assert [await show("mallory", info) for info in others] == [True] * 4
        assert [await show(f"one{number}", info) for number, info in enumerate(others)] == [False, False, True, True]


async def test_who_is_known_by_the_hash_needs_no_question(chirrup_server: Any, remote: Any) -> None:
    """A stranger whose client is known is told of what is open to all, and need not be asked for that."""
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        juliet.send(f"<presence to='{ORCHARD}'/>")
        await juliet.settle()
        await other.send(shown())
        await juliet.settle()
        await answer(other, asked(other)[0], TUNE)
        await juliet.settle()
        await other.send(shown("stranger@example.net/x"))
        await juliet.settle()
        capabilities = server.server.hosts["localhost"].module(Capabilities)
        assert capabilities.features_of(JID("stranger@example.net/x")) == {INFO, "tune+notify"}
        assert len(asked(other)) == 1
