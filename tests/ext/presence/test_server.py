"""What scenarios don't show of presence: other servers, what modules may stop, and what is bounded."""

from __future__ import annotations

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delay import NS as DELAY
from chirrup.testing import FakeClock

REMOTE = "romeo@example.net"
BALCONY = "juliet@localhost/balcony"


async def subscribe(client, other, *kinds):
    """Subscriptions between a client's account and the remote Romeo: "from", so that he sees it, and "to"."""
    bare = client.jid.bare.text
    if "from" in kinds:
        client.send(Element("presence", CLIENT, type="subscribed", to=REMOTE))
        await client.settle()
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='{bare}'/>")
    if "to" in kinds:
        client.send(Element("presence", CLIENT, type="subscribe", to=REMOTE))
        await client.settle()
        await other.send(f"<presence type='subscribed' from='{REMOTE}' to='{bare}'/>")
    client.received.clear()
    other.take()


async def said(client):
    """Type and sender of the presence that has come."""
    await client.settle()
    seen = [(stanza.get("type"), stanza.get("from")) for stanza in client.received if stanza.name == "presence"]
    client.received.clear()
    return seen


# -- broadcast to other servers


async def test_contacts_elsewhere_are_told_and_probed(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY)
        await subscribe(juliet, other, "from", "to")
        juliet.send("<presence id='one'><show>away</show><x xmlns='urn:x'/></presence>")
        await juliet.settle()
        shown = other.received[0]
        assert (shown.get("id"), shown.child_text("show")) == ("one", "away")
        assert shown.child("x", "urn:x") is not None
        assert other.take() == [("", BALCONY, REMOTE), ("probe", "juliet@localhost", REMOTE)]
        juliet.send("<presence/>")
        await juliet.settle()
        assert other.take() == [("", BALCONY, REMOTE)]
        juliet.send("<presence type='unavailable'><status>to bed</status></presence>")
        await juliet.settle()
        assert other.received[0].child_text("status") == "to bed"
        assert other.take() == [("unavailable", BALCONY, REMOTE)]
        juliet.send("<presence type='unavailable'/>")
        await juliet.settle()
        assert other.take() == []


@pytest.mark.parametrize(("kind", "told"), [("from", [""]), ("to", ["probe"]), ("neither", [])])
async def test_contacts_are_told_what_their_subscription_is_for(chirrup_server, remote, kind, told):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY)
        await subscribe(juliet, other, kind)
        juliet.send("<presence/>")
        await juliet.settle()
        assert [seen for seen, _, _ in other.take()] == told


async def test_a_connection_that_breaks_is_told_to_all(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        chamber = await server.client("juliet/chamber", presence=True)
        juliet = await server.client(BALCONY, presence=True)
        await subscribe(juliet, other, "from")
        await chamber.settle()
        chamber.received.clear()
        juliet.drop()
        gone = await chamber.receive()
        assert (gone.get("type"), gone.get("from"), gone.get("to")) == ("unavailable", BALCONY, "juliet@localhost")
        assert other.take() == [("unavailable", BALCONY, REMOTE)]


# -- probes


async def test_a_subscriber_who_probes_is_sent_each_sessions_last_presence(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        chamber = await server.client("juliet/chamber")
        await server.client("juliet/connected")
        await subscribe(juliet, other, "from")
        juliet.send("<presence id='hzf1v27k'/>")
        chamber.send("<presence id='ps6t1fu3'><show>away</show></presence>")
        await juliet.settle()
        await chamber.settle()
        other.take()
        await other.send(f"<presence type='probe' from='{REMOTE}' to='juliet@localhost' id='xv291f38'/>")
        answers = {one.get("from"): (one.get("id"), one.child_text("show")) for one in other.received}
        assert answers == {BALCONY: ("hzf1v27k", ""), "juliet@localhost/chamber": ("ps6t1fu3", "away")}
        assert {to for _, _, to in other.take()} == {REMOTE}


async def test_a_subscriber_who_probes_a_resource_learns_only_that_it_is_there(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        await subscribe(juliet, other, "from")
        juliet.send("<presence><show>dnd</show><status>busy</status></presence>")
        await juliet.settle()
        other.take()
        await other.send(f"<presence type='probe' from='{REMOTE}/orchard' to='{BALCONY}'/>")
        assert not list(other.received[0].elements())
        assert other.take() == [("", BALCONY, f"{REMOTE}/orchard")]
        await other.send(f"<presence type='probe' from='{REMOTE}' to='juliet@localhost/gone' id='a'/>")
        assert other.received[0].get("id") == "a"
        assert other.take() == [("unavailable", "juliet@localhost/gone", REMOTE)]


async def test_a_subscriber_who_probes_in_vain_learns_since_when(chirrup_server, remote):
    clock = FakeClock(1_031_699_027.25)
    async with chirrup_server(clock=clock) as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY)
        await subscribe(juliet, other, "from")
        probe = f"<presence type='probe' from='{REMOTE}' to='juliet@localhost' id='xv291f38'/>"
        await other.send(probe)
        assert other.received[0].get("id") == "xv291f38"
        assert other.received[0].child("delay", DELAY) is None
        assert other.take() == [("unavailable", "juliet@localhost", REMOTE)]
        juliet.send("<presence/><presence type='unavailable'/>")
        await juliet.settle()
        clock.advance(60)
        other.take()
        await other.send(probe)
        delay = other.received[0].child("delay", DELAY)
        assert delay is not None
        assert delay.get("stamp") == "2002-09-10T23:03:47Z"


@pytest.mark.parametrize("to", ["juliet@localhost", BALCONY, "nobody@localhost", "nobody@localhost/x"])
async def test_strangers_who_probe_learn_nothing_not_even_whether_the_account_exists(chirrup_server, remote, to):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(Element("presence", CLIENT, type="subscribe", to=REMOTE))
        await juliet.settle()
        other.take()
        await other.send(f"<presence type='probe' from='{REMOTE}' to='{to}' id='a'/>")
        assert (other.received[0].get("id"), len(other.received[0].children)) == ("a", 0)
        assert other.take() == [("unsubscribed", to.partition("/")[0], REMOTE)]


async def test_a_probe_in_vain_does_not_take_back_an_approval(chirrup_server, remote):
    """RFC 6121 §4.3.2, rule 1."""
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(Element("presence", CLIENT, type="subscribed", to=REMOTE))
        await juliet.settle()
        await other.send(f"<presence type='probe' from='{REMOTE}' to='juliet@localhost'/>")
        other.take()
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='juliet@localhost'/>")
        assert other.take()[0] == ("subscribed", "juliet@localhost", REMOTE)


# -- directed presence

ROOM = "lobby@chat.example.net/juliet"


async def test_who_had_directed_presence_is_told_of_the_end_and_of_nothing_before(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "chat.example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(f"<presence to='{ROOM}'><show>chat</show></presence>")
        juliet.send("<presence><show>away</show></presence>")
        await juliet.settle()
        assert other.take() == [("", BALCONY, ROOM)]
        juliet.send("<presence type='unavailable'><status>bye</status></presence>")
        await juliet.settle()
        assert other.received[0].child_text("status") == "bye"
        assert other.take() == [("unavailable", BALCONY, ROOM)]
        juliet.send("<presence type='unavailable'/>")
        await juliet.settle()
        await juliet.close()
        assert other.take() == []


async def test_also_if_the_session_was_never_available_to_all(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "chat.example.net")
        chamber = await server.client("juliet/chamber", presence=True)
        juliet = await server.client(BALCONY)
        juliet.send(f"<presence to='{ROOM}'/>")
        await juliet.settle()
        other.take()
        await juliet.close()
        assert other.take() == [("unavailable", BALCONY, ROOM)]
        assert await said(chamber) == []


@pytest.mark.parametrize(
    "ending",
    [
        f"<presence type='unavailable' from='{ROOM}' to='{BALCONY}'/>",
        f"<presence type='error' from='{ROOM}' to='{BALCONY}'/>",
        "<presence type='unavailable' from='lobby@chat.example.net' to='juliet@localhost'/>",
    ],
)
async def test_who_leaves_or_refuses_is_not_told(chirrup_server, remote, ending):
    async with chirrup_server() as server:
        other = remote(server, "chat.example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(f"<presence to='{ROOM}'/>")
        await juliet.settle()
        other.take()
        await other.send(ending)
        await juliet.close()
        assert other.take() == []


async def test_who_was_told_by_the_client_is_not_told_again(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "chat.example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(f"<presence to='{ROOM}'/><presence to='{ROOM}' type='unavailable'/>")
        await juliet.settle()
        other.take()
        await juliet.close()
        assert other.take() == []


async def test_a_subscriber_is_told_of_the_end_once(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        juliet.send(f"<presence to='{REMOTE}'/>")
        await subscribe(juliet, other, "from")
        juliet.send(f"<presence to='{REMOTE}'/>")
        await juliet.settle()
        assert other.take() == [("", BALCONY, REMOTE)]
        await juliet.close()
        assert other.take() == [("unavailable", BALCONY, REMOTE)]


async def test_who_had_directed_presence_may_probe(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "chat.example.net")
        juliet = await server.client(BALCONY, presence=True)
        await server.client("juliet/chamber", presence=True)
        juliet.send(f"<presence to='{ROOM}'><show>chat</show></presence>")
        await juliet.settle()
        other.take()
        for to in (BALCONY, "juliet@localhost"):
            await other.send(f"<presence type='probe' from='{ROOM}' to='{to}'/>")
            assert not list(other.received[0].elements())
            assert other.take() == [("", BALCONY, ROOM)]
        await other.send(f"<presence type='probe' from='{ROOM}' to='juliet@localhost/chamber'/>")
        assert other.take() == [("unsubscribed", "juliet@localhost", ROOM)]
        await other.send(f"<presence type='probe' from='lobby@chat.example.net/tybalt' to='{BALCONY}'/>")
        assert other.take() == [("unsubscribed", "juliet@localhost", "lobby@chat.example.net/tybalt")]


async def test_how_many_may_have_directed_presence_is_bounded(chirrup_server, remote):
    async with chirrup_server({"modules": {"presence": {"max_directed": 2}}}) as server:
        other = remote(server, "chat.example.net")
        juliet = await server.client(BALCONY, presence=True)
        for room in ("a", "b", "c", "a"):
            juliet.send(f"<presence id='{room}' to='{room}@chat.example.net/j'/>")
        await juliet.settle()
        refused = juliet.received.popleft()
        assert (refused.get("id"), read_error(refused).condition) == ("c", "resource-constraint")
        assert [to for _, _, to in other.take()] == [f"{room}@chat.example.net/j" for room in "aba"]
        juliet.send("<presence to='a@chat.example.net/j' type='unavailable'/><presence to='c@chat.example.net/j'/>")
        await juliet.settle()
        assert [to for _, _, to in other.take()] == ["a@chat.example.net/j", "c@chat.example.net/j"]


# -- IQs of strangers (RFC 6121 §8.5.3.1)

IQ = "<iq type='get' id='1' from='{sender}' to='" + BALCONY + "'><query xmlns='jabber:iq:version'/></iq>"


@pytest.mark.parametrize(
    ("subscriptions", "directed", "sender", "delivered"),
    [
        ((), "", f"{REMOTE}/orchard", False),
        (("to",), "", f"{REMOTE}/orchard", False),
        (("from",), "", f"{REMOTE}/orchard", True),
        (("from", "to"), "", f"{REMOTE}/orchard", True),
        ((), REMOTE, f"{REMOTE}/orchard", True),
        ((), f"{REMOTE}/orchard", f"{REMOTE}/orchard", True),
        ((), "lobby@example.net/me", "lobby@example.net/other", True),
        ((), "lobby@example.net/me", REMOTE, False),
    ],
)
async def test_iqs_reach_a_resource_only_from_those_who_know_of_it(
    chirrup_server, remote, subscriptions, directed, sender, delivered
):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY, presence=True)
        await subscribe(juliet, other, *subscriptions)
        if directed:
            juliet.send(f"<presence to='{directed}'/>")
            await juliet.settle()
        await other.send(IQ.format(sender=sender))
        await juliet.settle()
        assert [stanza.get("id") for stanza in juliet.received] == (["1"] if delivered else [])
        assert [read_error(answer).condition for answer in other.answered] == (
            [] if delivered else ["service-unavailable"]
        )


async def test_answers_always_reach_a_resource(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client(BALCONY)
        await other.send(f"<iq type='result' id='1' from='{REMOTE}/orchard' to='{BALCONY}'/>")
        assert (await juliet.receive()).get("id") == "1"


async def test_ones_own_resources_and_the_host_may_always_ask(chirrup_server):
    async with chirrup_server() as server:
        juliet = await server.client(BALCONY)
        chamber = await server.client("juliet/chamber")
        chamber.send(IQ.format(sender=chamber.jid))
        assert (await juliet.receive()).get("from") == chamber.jid.text
        question = server.server.hosts["localhost"].iq.ask(juliet.jid, Element("ping", "urn:xmpp:ping"))
        asked = await juliet.receive()
        assert asked.get("from") == "localhost"
        juliet.send(Element("iq", CLIENT, type="result", id=asked.get("id"), to="localhost"))
        assert (await question).get("type") == "result"


# -- other modules

BLOCKER = """
from chirrup.server import hooks
from chirrup.server.module import Module

class Blocker(Module):
    "Lets Juliet's and Tybalt's presence not meet."

    @hooks.presence_in()
    def refuse(self, account, stanza, to, sender):
        assert stanza.attrs["to"] == to.text and to.bare == account.jid
        return {account.jid.local, sender.local} == {"juliet", "tybalt"}
"""


async def test_what_another_module_stops_is_not_broadcast(chirrup_server, tmp_path):
    (tmp_path / "blocker.py").write_text(BLOCKER)
    settings = {
        "modules_folder": str(tmp_path),
        "hosts": {"localhost": {"modules_enabled": ["blocker"]}},
    }
    async with chirrup_server(settings) as server:
        clients = {name: await server.client(name) for name in ("juliet", "tybalt", "romeo")}
        for kind in ("subscribed", "subscribe"):
            for name, client in clients.items():
                for contact in set(clients) - {name}:
                    client.send(Element("presence", CLIENT, type=kind, to=f"{contact}@localhost"))
                await client.settle()
        for client in clients.values():
            client.send("<presence/>")
            await client.settle()
        seen = {
            name: {sender.partition("@")[0] for _, sender in await said(client)} for name, client in clients.items()
        }
        assert seen == {
            "juliet": {"juliet", "romeo"},
            "tybalt": {"tybalt", "romeo"},
            "romeo": {"romeo", "juliet", "tybalt"},
        }
