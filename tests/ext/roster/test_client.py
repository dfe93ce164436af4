"""The roster at a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import JID, Client, StanzaError
from chirrup.core.xml import Element
from chirrup.ext.roster.client import Change, Roster
from chirrup.ext.roster.payloads import Item, Query
from chirrup.testing import serve

BOB = JID("bob@localhost")
VER = "<ver xmlns='urn:xmpp:features:rosterver'/>"
NS = "jabber:iq:roster"


async def change(changes: Any) -> Change:
    async with asyncio.timeout(10):
        found: Change = await anext(changes)
        return found


async def test_contacts_are_set_and_removed() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("alice", features=[Roster]) as other,
    ):
        roster = await alice.need(Roster).load()
        here, there = roster.changes(), other.need(Roster).changes()
        assert len(roster) == 0
        await roster.set(BOB, name="Bob", groups=["Friends"])
        for changes in (here, there):
            found = await change(changes)
            assert (found.jid, found.before) == (BOB, None)
            assert found.after == Item(BOB, "Bob", "none", groups=("Friends",))
        assert BOB in roster
        assert roster.get("bob@localhost/x") == roster.get(BOB)
        await roster.set("bob@localhost/x", groups=["Foes"])
        found = await change(there)
        assert found.after is not None and (found.after.name, found.after.groups) == ("Bob", ("Foes",))
        await roster.remove(BOB)
        assert (await change(there)).after is None
        await change(here)
        await change(here)
        assert list(roster) == []
        with pytest.raises(StanzaError, match="item-not-found"):
            await roster.remove(BOB)


async def test_it_begins_with_what_was_saved() -> None:
    async with serve() as server:
        alice = await server.sdk("alice", features=[Roster])
        async with alice:
            await alice.need(Roster).set(BOB, name="Bob")
        saved = alice.need(Roster).saved()
        again = await server.sdk("alice", features=[Roster])
        again.need(Roster).restore(saved)
        changes = again.need(Roster).changes()
        async with again:
            assert [item.name for item in again.need(Roster)] == ["Bob"]
            assert len(changes) == 0


@pytest.fixture
def scripted(liar: Liar) -> Any:
    def scripted(*answers: str, versions: bool = True) -> tuple[Client, list[str]]:
        """A client whose server gives these answers, and what it asked."""
        asked: list[str] = []

        async def script(peer: Peer) -> None:
            await peer.log_in(VER if versions else "")
            iq = await peer.read()
            asked.append(str(iq.first))
            peer.send(f"<iq type='result' id='{iq.get('id')}'>{answers[0]}</iq>" + "".join(answers[1:]))
            await peer.end()

        return liar.client(script, features=[Roster]), asked

    return scripted


async def test_versions(scripted: Any) -> None:
    """RFC 6121 §2.6: an empty answer says that nothing has changed but what is pushed."""
    item = "<item jid='carol@localhost' subscription='none'/>"
    push = f"<iq type='set' id='1'><query xmlns='{NS}' ver='8'>{item}</query></iq>"
    client, asked = scripted("", push)
    roster = client.need(Roster)
    roster.restore(Query("7", (Item(BOB, "Bob", "both"),)))
    changes = roster.changes()
    async with client:
        assert (await change(changes)).jid == JID("carol@localhost")
        assert asked == [f"<query xmlns='{NS}' ver='7'/>"]
        assert (roster.version, [item.jid.local for item in roster]) == ("8", ["bob", "carol"])


async def test_a_server_without_versions(scripted: Any) -> None:
    answer = f"<query xmlns='{NS}'><item jid='carol@localhost' subscription='none'/></query>"
    client, asked = scripted(answer, versions=False)
    client.need(Roster).restore(Query("7", (Item(BOB, "Bob", "both"),)))
    async with client:
        assert asked == [f"<query xmlns='{NS}'/>"]
        assert [item.jid.local for item in client.need(Roster)] == ["carol"]


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ("<item jid='bob@localhost' subscription='remove'/>", []),
        ("<item jid='bob@localhost' subscription='bogus'/>", ["Bob"]),
        ("<item jid='bob@localhost' subscription='to' name='Bobby'/>", ["Bobby"]),
        ("", ["Bob"]),
        ("<item jid='a@b@c'/>", ["Bob"]),
        ("<item jid='bob@localhost' subscription='remove'/><item jid='x@localhost' subscription='none'/>", ["Bob"]),
    ],
)
async def test_pushes(scripted: Any, items: str, left: list[str]) -> None:
    answer = f"<query xmlns='{NS}' ver='1'><item jid='bob@localhost' name='Bob' subscription='both'/></query>"
    push = f"<iq type='set' id='1'><query xmlns='{NS}' ver='2'>{items}</query></iq>"
    client, _ = scripted(answer, push, "<message><body>done</body></message>")
    done = client.messages()
    async with client:
        await anext(done)
        assert [item.name for item in client.need(Roster)] == left


async def test_a_push_is_answered(liar: Liar) -> None:
    answers: list[Element] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        iq = await peer.read()
        peer.send(f"<iq type='result' id='{iq.get('id')}'><query xmlns='{NS}'/></iq>")
        peer.send(f"<iq type='set' id='p' to='guest@localhost/here'><query xmlns='{NS}'><item jid='b@c'/></query></iq>")
        answers.append(await peer.read())
        peer.send("<message><body>done</body></message>")
        await peer.end()

    client = liar.client(script, features=[Roster])
    done = client.messages()
    async with client:
        await anext(done)
    assert (answers[0].get("type"), answers[0].get("id"), answers[0].get("from")) == ("result", "p", "")
