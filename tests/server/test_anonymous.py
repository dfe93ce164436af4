"""A host for guests: whoever comes is somebody new, and is nobody when the stream ends (XEP-0175)."""

from __future__ import annotations

import pytest

from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.testing import PASSWORD, Refused

GUESTS = {"hosts": {"localhost": {}, "guests.example": {"authentication": "anonymous"}}}


async def test_each_guest_is_somebody_else(chirrup_server):
    async with chirrup_server(GUESTS) as server:
        one, other = await server.guest("guests.example"), await server.guest("guests.example")
        assert one.jid.domain == other.jid.domain == "guests.example"
        assert one.jid.bare != other.jid.bare
        one.send(f"<message to='{other.jid}'><body>hi</body></message>")
        assert (await other.receive()).get("from") == one.jid.text


async def test_guests_and_people_with_accounts_talk(chirrup_server):
    async with chirrup_server(GUESTS) as server:
        guest, alice = await server.guest("guests.example"), await server.client("alice")
        guest.send(f"<message to='{alice.jid}'><body>hi</body></message>")
        assert (await alice.receive()).get("from") == guest.jid.text
        alice.send(f"<message to='{guest.jid}'><body>hi</body></message>")
        assert (await guest.receive()).get("from") == alice.jid.text


async def test_only_anonymous_is_offered_there_and_nowhere_else(chirrup_server, open_stream):
    async with chirrup_server(GUESTS) as server:
        for domain, expected in (("guests.example", True), ("localhost", False)):
            stream = await server.raw(direct_tls=True)
            stream.send(
                f"<stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
                " xmlns:stream='http://etherx.jabber.org/streams'>"
            )
            mechanisms = (await stream.receive()).child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl")
            names = [mechanism.text for mechanism in mechanisms.elements()]
            assert ("ANONYMOUS" in names) == expected
            assert (len(names) == 1) == expected


@pytest.mark.parametrize(
    ("host", "auth"),
    [("guests.example", "mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>"), ("localhost", "mechanism='ANONYMOUS'/>")],
)
async def test_guests_have_no_names_and_who_has_one_is_no_guest(chirrup_server, host, auth):
    async with chirrup_server(GUESTS) as server:
        client = await server.raw(direct_tls=True)
        client.send(
            f"<stream:stream to='{host}' version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        await client.receive()
        client.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' {auth}")
        assert (await client.receive()).first.name == "invalid-mechanism"


async def test_a_guest_who_leaves_is_gone(chirrup_server):
    async with chirrup_server(GUESTS) as server:
        guest, alice = await server.guest("guests.example"), await server.client("alice")
        name = guest.jid
        await guest.close()
        host = server.server.hosts["guests.example"]
        while any(host.sessions()):
            await alice.settle()
        for to in (name, name.bare):
            alice.send(f"<message to='{to}' type='chat' id='1'><body>Still there?</body></message>")
            error = await alice.receive()
            assert (error.get("type"), error.child("error").first.name) == ("error", "service-unavailable")


async def test_a_guest_asks_for_a_resource(chirrup_server):
    """Which is theirs: on another guest's account, it doesn't clash with the same one."""
    async with chirrup_server(GUESTS) as server:
        guests = [await server.raw(), await server.raw()]
        for guest in guests:
            await guest.log_in(ClientPolicy(Credentials(), "sofa", tls_required=False), "guests.example")
        assert {guest.jid.resource for guest in guests} == {"sofa"}
        assert len({guest.jid.bare for guest in guests}) == 2
        await guests[0].settle()


async def test_a_guest_is_told_its_name_before_it_has_a_resource(chirrup_server):
    """XEP-0388 §2.6.1: the identity is never left out, and it is the one that the resource is then bound to."""
    async with chirrup_server(GUESTS) as server:
        client = await server.raw(direct_tls=True)
        client.send(
            "<stream:stream to='guests.example' version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        await client.receive()
        client.send(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'><initial-response>=</initial-response>"
            "</authenticate>"
        )
        name = (await client.receive()).child_text("authorization-identifier", "urn:xmpp:sasl:2")
        assert name.endswith("@guests.example")
        await client.receive()
        client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        bound = (await client.receive()).first
        assert bound.child_text("jid", "urn:ietf:params:xml:ns:xmpp-bind").startswith(f"{name}/")


async def test_an_account_is_no_use_there(chirrup_server):
    async with chirrup_server(GUESTS) as server:
        await server.add_account("alice@localhost")
        client = await server.raw()
        with pytest.raises(Exception, match="unsupported-feature"):
            await client.log_in(ClientPolicy(Credentials("alice", PASSWORD), tls_required=False), "guests.example")


async def test_limits_hold_for_guests(chirrup_server):
    settings = {**GUESTS, "limits": {"connections_per_address": 2}}
    async with chirrup_server(settings) as server:
        await server.guest("guests.example")
        await server.guest("guests.example")
        with pytest.raises((Exception, Refused), match="resource-constraint"):
            await server.guest("guests.example")
