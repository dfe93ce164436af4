"""What scenarios don't show of rosters: other servers, storage, accounts that go."""

from __future__ import annotations

import asyncio

from chirrup.core.errors import StoreError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.roster import NS
from chirrup.ext.roster.payloads import Query
from chirrup.ext.roster.roster import Roster
from chirrup.store.maps import Map

REMOTE = "romeo@example.net"


def presence(kind, to=REMOTE):
    return Element("presence", CLIENT, type=kind, to=to)


async def roster_of(client):
    result = await client.ask(Element("iq", CLIENT, Element("query", NS), type="get"))
    return {str(item.jid): item for item in Query.parse(result.first).items}


async def set_item(client, jid, *groups, **attributes):
    item = Element("item", NS, *(Element("group", NS, group) for group in groups), jid=jid, **attributes)
    return await client.ask(Element("iq", CLIENT, Element("query", NS, item), type="set"))


async def kinds(client):
    """Type and sender of the presence that has come, and the items that were pushed, in order; the rest is dropped."""
    await client.settle()
    seen = []
    while client.received:
        stanza = client.received.popleft()
        if stanza.name == "presence":
            seen.append((stanza.get("type"), stanza.get("from")))
        elif stanza.get("type") == "set":
            item = Query.parse(stanza.first).items[0]
            seen.append(("push", item.subscription))
    return seen


async def test_clients_are_told_what_the_server_can(chirrup_server):
    async with chirrup_server() as server:
        host = server.server.hosts["localhost"]
        offered = host.stream_features(logged_in=True, secure=True)
        assert {"urn:xmpp:features:rosterver", "urn:xmpp:features:pre-approval"} <= {one.ns for one in offered}
        assert not {"ver", "sub"} & {one.name for one in host.stream_features(logged_in=False, secure=True)}


async def test_pushes_have_ids_that_nobody_can_guess(chirrup_server):
    async with chirrup_server() as server:
        juliet = await server.client("juliet")
        await roster_of(juliet)
        for name in ("one", "two", "three"):
            await set_item(juliet, "nurse@localhost", name=name)
        pushes = [stanza for stanza in juliet.received if stanza.get("type") == "set"]
        identifiers = {push.get("id") for push in pushes}
        assert len(identifiers) == 3
        assert all(len(identifier) >= 16 for identifier in identifiers)
        assert len({push.first.get("ver") for push in pushes}) == 3
        assert not any("from" in push.attrs for push in pushes)


# -- other servers


async def test_a_subscription_with_another_server(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet/balcony", presence=True)
        await roster_of(juliet)
        juliet.send(presence("subscribe", to=f"{REMOTE}/orchard"))
        assert await kinds(juliet) == [("push", "none")]
        assert other.take() == [("subscribe", "juliet@localhost", REMOTE)]
        await other.send(f"<presence type='subscribed' from='{REMOTE}' to='juliet@localhost'/>")
        assert await kinds(juliet) == [("subscribed", REMOTE), ("push", "to")]

        await other.send(f"<presence type='subscribe' from='{REMOTE}/orchard' to='juliet@localhost/nowhere'/>")
        request = await juliet.receive()
        assert (request.get("from"), request.get("to")) == (REMOTE, "juliet@localhost")
        juliet.send(presence("subscribed"))
        assert await kinds(juliet) == [("push", "both")]
        assert other.take() == [
            ("subscribed", "juliet@localhost", REMOTE),
            ("", "juliet@localhost/balcony", REMOTE),
        ]


async def test_who_has_a_subscription_and_asks_again_is_answered(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet/balcony", presence=True)
        await roster_of(juliet)
        juliet.send(presence("subscribed"))
        await juliet.settle()
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='juliet@localhost' id='a'/>")
        assert await kinds(juliet) == [("push", "none"), ("push", "from")]
        answer = ("subscribed", "juliet@localhost", REMOTE)
        shown = ("", "juliet@localhost/balcony", REMOTE)
        assert other.take() == [answer, shown]
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='juliet@localhost' id='xk3h1v69'/>")
        assert other.received[0].get("id") == "xk3h1v69"
        assert other.take() == [answer, shown]
        assert await kinds(juliet) == []


async def test_who_unsubscribes_sees_the_account_go_and_is_answered(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet/balcony", presence=True)
        await roster_of(juliet)
        juliet.send(presence("subscribed"))
        await juliet.settle()
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='juliet@localhost'/>")
        await kinds(juliet)
        other.take()
        await other.send(f"<presence type='unsubscribe' from='{REMOTE}' to='juliet@localhost'/>")
        assert other.take() == [
            ("unavailable", "juliet@localhost/balcony", REMOTE),
            ("unsubscribed", "juliet@localhost", REMOTE),
        ]
        assert await kinds(juliet) == [("unsubscribe", REMOTE), ("push", "none")]


async def test_an_answer_to_a_resource_that_is_gone_is_ignored(chirrup_server, remote):
    """RFC 6121 §8.5.3.2.2."""
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet/balcony", presence=True)
        await roster_of(juliet)
        juliet.send(presence("subscribe"))
        await kinds(juliet)
        await other.send(f"<presence type='subscribed' from='{REMOTE}' to='juliet@localhost/gone'/>")
        assert await kinds(juliet) == []


async def test_a_request_to_another_server_is_sent_again_with_the_next_presence_session(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        first = await server.client("juliet/balcony", presence=True)
        first.send(presence("subscribe"))
        first.send(presence("subscribe", to="nurse@localhost"))
        await first.settle()
        other.take()
        second = await server.client("juliet/chamber", presence=True)
        assert other.take() == []
        for client in (first, second):
            client.send("<presence type='unavailable'/>")
            await client.settle()
        first.send("<presence/>")
        await first.settle()
        assert other.received[0].get("id")
        assert other.take() == [("subscribe", "juliet@localhost", REMOTE)]


# -- storage


async def test_everything_is_there_after_a_restart(chirrup_server):
    async with chirrup_server(name="one") as server:
        juliet = await server.client("juliet")
        assert (await set_item(juliet, "nurse@localhost", "Servants", 'the "old"', name="Näni")).get("type") == "result"
        assert (await set_item(juliet, "paris@localhost")).get("type") == "result"
        assert (await set_item(juliet, "paris@localhost", subscription="remove")).get("type") == "result"
        juliet.send(presence("subscribe", to="benvolio@localhost"))
        juliet.send(presence("subscribed", to="mercutio@localhost"))
        romeo = await server.client("romeo")
        romeo.send("<presence type='subscribe' to='juliet@localhost'><status>&lt;3</status></presence>")
        await romeo.settle()
        before = await roster_of(juliet)
    async with chirrup_server(name="one") as server:
        juliet = await server.client("juliet")
        after = await roster_of(juliet)
        assert after == before
        assert set(after) == {"nurse@localhost", "benvolio@localhost", "mercutio@localhost"}
        assert after["nurse@localhost"].groups == ("Servants", 'the "old"')
        assert after["benvolio@localhost"].ask == "subscribe"
        assert after["mercutio@localhost"].approved
        juliet.send("<presence/>")
        assert (await juliet.receive()).get("type") == ""
        request = await juliet.receive()
        assert (request.get("type"), request.child_text("status")) == ("subscribe", "<3")


async def test_what_cannot_be_stored_is_refused_and_has_not_happened(chirrup_server, monkeypatch):
    def full(*_):
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(StoreError("no room left"))
        return failed

    async with chirrup_server() as server:
        juliet = await server.client("juliet")
        await set_item(juliet, "nurse@localhost", name="Nurse")
        before = await roster_of(juliet)
        with monkeypatch.context() as patch:
            patch.setattr(Map, "set", full)
            answer = await set_item(juliet, "nurse@localhost", name="Angelica")
            assert answer.child("error").first.name == "internal-server-error"
            juliet.send(presence("subscribe", to="romeo@localhost"))
            seen = await kinds(juliet)
        assert ("error", "romeo@localhost") in seen
        while await roster_of(juliet) != before:  # what is stored is read anew
            seen += await kinds(juliet)
        assert ("push", "remove") in seen + await kinds(juliet)


# -- accounts that go


async def test_an_account_that_is_removed_takes_its_subscriptions_with_it(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        host = server.server.hosts["localhost"]
        juliet = await server.client("juliet/balcony", presence=True)
        romeo = await server.client("romeo/orchard", presence=True)
        await roster_of(romeo)
        for client, jid in ((juliet, "romeo@localhost"), (romeo, "juliet@localhost"), (juliet, REMOTE)):
            client.send(presence("subscribed", to=jid))
            await client.settle()
        for client, jid in ((juliet, "romeo@localhost"), (romeo, "juliet@localhost")):
            client.send(presence("subscribe", to=jid))
            await client.settle()
        await other.send(f"<presence type='subscribe' from='{REMOTE}' to='juliet@localhost'/>")
        juliet.send(presence("subscribe", to="rosaline@localhost"))
        await juliet.settle()
        await kinds(romeo)
        other.take()

        assert await host.remove_account("juliet")
        assert await kinds(romeo) == [
            ("unavailable", "juliet@localhost/balcony"),
            ("unsubscribe", "juliet@localhost"),
            ("push", "to"),
            ("unsubscribed", "juliet@localhost"),
            ("push", "none"),
        ]
        assert other.take() == [
            ("unavailable", "juliet@localhost/balcony", REMOTE),
            ("unsubscribed", "juliet@localhost", REMOTE),
        ]
        assert (await juliet.end()).condition == "not-authorized"
        assert await kinds(romeo) == []
        assert await server.server.store.map("roster").all("juliet@localhost") == {}
        juliet = await server.client("juliet")
        assert await roster_of(juliet) == {}


async def test_an_account_that_is_removed_ends_requests_at_contacts_who_are_offline(chirrup_server):
    async with chirrup_server() as server:
        host = server.server.hosts["localhost"]
        await server.add_account("romeo")
        juliet = await server.client("juliet")
        juliet.send(presence("subscribe", to="romeo@localhost"))
        await juliet.settle()
        assert await server.server.store.map("roster").all("romeo@localhost")
        host.forget(host.accounts["romeo"])
        await host.remove_account("juliet")
        assert await server.server.store.map("roster").all("romeo@localhost") == {}


async def test_guests_have_rosters_that_go_with_them(chirrup_server):
    settings = {"hosts": {"localhost": {}, "guests.localhost": {"authentication": "anonymous"}}}
    async with chirrup_server(settings) as server:
        guest = await server.guest("guests.localhost")
        romeo = await server.client("romeo", presence=True)
        await roster_of(romeo)
        bare = guest.jid.bare.text
        guest.send("<presence/>")
        guest.send(presence("subscribe", to="romeo@localhost"))
        await guest.settle()
        assert set(await roster_of(guest)) == {"romeo@localhost"}
        assert ("subscribe", bare) in await kinds(romeo)
        romeo.send(presence("subscribed", to=bare))
        romeo.send(presence("subscribe", to=bare))
        await romeo.settle()
        guest.send(presence("subscribed", to="romeo@localhost"))
        await guest.settle()
        assert (await roster_of(romeo))[bare].subscription == "both"
        await kinds(romeo)

        await guest.close()
        while (await roster_of(romeo))[bare].subscription != "none":
            await romeo.settle()
        assert await kinds(romeo) == [
            ("unavailable", guest.jid.text),
            ("unsubscribe", bare),
            ("push", "to"),
            ("unsubscribed", bare),
            ("push", "none"),
        ]
        assert await server.server.store.map("roster").all(bare) == {}


async def test_a_stanza_in_ones_own_name_changes_nothing(chirrup_server, remote):
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet", presence=True)
        await other.send("<presence type='subscribe' from='juliet@localhost' to='juliet@localhost'/>")
        assert await kinds(juliet) == []
        account = server.server.hosts["localhost"].accounts["juliet"]
        assert account.get(Roster).contacts == ()
        assert account.get(Roster).owner == JID("juliet@localhost")
