from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.jid import JID
from chirrup.core.stanza import read_error
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.blocking import ABUSE, ERRORS, NS, SPAM
from chirrup.ext.blocking.payloads import Block, BlockList, Item, Report, Text, Unblock
from chirrup.testing import FakeClock, TestClient, TestServer, serve

ROMEO = "romeo@localhost"


async def ask(client: TestClient, payload: Element, kind: str = "set", to: str | None = None) -> Element:
    return await client.ask(Element("iq", CLIENT, payload, type=kind, to=to))


async def block(client: TestClient, *jids: str) -> None:
    answer = await ask(client, Block(tuple(Item(JID(jid)) for jid in jids)).to_element())
    assert answer.get("type") == "result", answer


async def unblock(client: TestClient, *jids: str) -> None:
    answer = await ask(client, Unblock(tuple(Item(JID(jid)) for jid in jids)).to_element())
    assert answer.get("type") == "result", answer


async def blocked(client: TestClient) -> list[str]:
    answer = await ask(client, BlockList().to_element(), "get")
    assert answer.first is not None
    return [item.jid.text for item in BlockList.parse(answer.first).items]


async def came(client: TestClient) -> list[Element]:
    """What has come by now, and is taken out."""
    await client.settle()
    found = list(client.received)
    client.received.clear()
    return found


async def subscribe(one: TestClient, other: TestClient) -> None:
    """Let the first see the presence of the second; both are available."""
    one.send(f"<presence type='subscribe' to='{other.jid.bare}'/>")
    await one.settle()
    other.send(f"<presence type='subscribed' to='{one.jid.bare}'/>")
    await other.settle()


async def friends(server: TestServer) -> tuple[TestClient, TestClient]:
    """Juliet and Romeo, available, who see each other's presence."""
    juliet = await server.client("juliet/balcony", presence=True)
    romeo = await server.client("romeo/orchard", presence=True)
    await subscribe(juliet, romeo)
    await subscribe(romeo, juliet)
    await came(juliet)
    await came(romeo)
    return juliet, romeo


def is_blocked_error(stanza: Element) -> bool:
    error = read_error(stanza)
    return (error.condition, error.type, error.app) == ("not-acceptable", "cancel", f"{{{ERRORS}}}blocked")


# -- the list


async def test_the_list_is_kept(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        assert await blocked(juliet) == []
        await block(juliet, ROMEO, "iago@shakespeare.lit")
        await block(juliet, ROMEO, "example.org")
        await unblock(juliet, "iago@shakespeare.lit", "nobody@example.net")
        assert await blocked(juliet) == [ROMEO, "example.org"]
    async with serve(data=tmp_path) as server:
        juliet = await server.client("juliet")
        assert sorted(await blocked(juliet)) == ["example.org", ROMEO]
        romeo = await server.client("romeo")
        romeo.send("<message to='juliet@localhost' type='chat'><body>hi</body></message>")
        (error,) = await came(romeo)
        assert read_error(error).condition == "service-unavailable"
        await unblock(juliet)
        assert await blocked(juliet) == []
    async with serve(data=tmp_path) as server:
        assert await blocked(await server.client("juliet")) == []


async def test_changes_are_pushed_to_those_who_have_asked_for_the_list() -> None:
    async with serve() as server:
        balcony, chamber = await server.client("juliet/balcony"), await server.client("juliet/chamber")
        garden = await server.client("juliet/garden")
        await blocked(balcony)
        await blocked(chamber)
        await block(balcony, ROMEO)
        await unblock(garden, ROMEO)
        await block(garden, ROMEO, "example.org")
        await unblock(garden)
        for client in (balcony, chamber):
            pushes = await came(client)
            assert all(push.name == "iq" and push.get("type") == "set" for push in pushes)
            assert [push.first for push in pushes] == [
                Block((Item(JID(ROMEO)),)).to_element(),
                Unblock((Item(JID(ROMEO)),)).to_element(),
                Block((Item(JID(ROMEO)), Item(JID("example.org")))).to_element(),
                Unblock().to_element(),
            ]
        assert await came(garden) == []


@pytest.mark.parametrize("inside", ["", "<item jid='@'/>", "<item/>"])
async def test_a_block_names_addresses(inside: str) -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        answer = await ask(juliet, parse_element(f"<block xmlns='{NS}'>{inside}</block>"))
        assert read_error(answer).condition == "bad-request"


async def test_the_list_has_an_end() -> None:
    async with serve({"modules": {"blocking": {"max_blocked": 2}}}) as server:
        juliet = await server.client("juliet")
        await block(juliet, ROMEO, "example.org")
        await block(juliet, "example.org")
        answer = await ask(juliet, Block((Item(JID("example.net")),)).to_element())
        assert read_error(answer).condition == "resource-constraint"
        assert await blocked(juliet) == [ROMEO, "example.org"]


async def test_the_list_is_its_owners_affair() -> None:
    async with serve() as server:
        await server.client("juliet")
        romeo = await server.client("romeo")
        for payload, kind in ((BlockList(), "get"), (Block((Item(JID(ROMEO)),)), "set"), (Unblock(), "set")):
            answer = await ask(romeo, payload.to_element(), kind, "juliet@localhost")
            assert read_error(answer).condition == "service-unavailable"


# -- what comes from blocked addresses


@pytest.mark.parametrize("item", ["romeo@localhost/orchard", ROMEO, "localhost"])
@pytest.mark.parametrize("to", ["juliet@localhost", "juliet@localhost/balcony"])
async def test_messages_are_refused(item: str, to: str) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, item)
        await came(romeo)
        for kind in ("chat", "normal"):
            romeo.send(f"<message to='{to}' type='{kind}'><body>hi</body></message>")
        errors = await came(romeo)
        assert [read_error(error).condition for error in errors] == ["service-unavailable"] * 2
        for kind in ("headline", "groupchat", "error"):
            romeo.send(f"<message to='{to}' type='{kind}'><body>hi</body></message>")
        assert await came(romeo) == []
        assert await came(juliet) == []
        await unblock(juliet, item)
        await came(romeo)
        romeo.send(f"<message to='{to}' type='chat'><body>hi</body></message>")
        assert await came(romeo) == []
        assert [stanza.name for stanza in await came(juliet) if stanza.name == "message"] == ["message"]


async def test_nothing_is_kept_for_those_who_are_not_there() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await juliet.close()
        await came(romeo)
        romeo.send("<message to='juliet@localhost' type='chat'><body>hi</body></message>")
        (error,) = await came(romeo)
        assert read_error(error).condition == "service-unavailable"
        assert await server.server.store.log("offline").count("juliet@localhost") == 0


async def test_what_has_waited_is_not_delivered_after_a_block() -> None:
    async with serve() as server:
        await server.add_account("juliet")
        romeo, tybalt = await server.client("romeo/orchard"), await server.client("tybalt/home")
        for number in "12":
            for client in romeo, tybalt:
                client.send(f"<message to='juliet@localhost' type='chat'><body>{number}</body></message>")
                await client.settle()
        juliet = await server.client("juliet")
        await block(juliet, "tybalt@localhost/home")
        juliet.send("<presence/>")
        senders = [(await juliet.receive()).get("from") for _ in range(3)]
        assert senders == [juliet.jid.text, romeo.jid.text, romeo.jid.text]
        await block(juliet, ROMEO)
        await juliet.close()
        chamber = await server.client("juliet", presence=True)  # where romeo's wait: nobody has confirmed them
        async with asyncio.timeout(10):
            while await server.server.store.messages.count_waiting("juliet@localhost"):
                await chamber.settle()
        assert [stanza for stanza in await came(chamber) if stanza.name == "message"] == []


async def test_another_resource_of_somebody_may_write() -> None:
    async with serve() as server:
        juliet, _ = await friends(server)
        garden = await server.client("romeo/garden")
        await block(juliet, "romeo@localhost/orchard")
        garden.send("<message to='juliet@localhost' type='chat'><body>hi</body></message>")
        assert await came(garden) == []
        assert [stanza.get("from") for stanza in await came(juliet)] == ["romeo@localhost/garden"]


@pytest.mark.parametrize("to", ["juliet@localhost", "juliet@localhost/balcony"])
async def test_requests_are_refused(to: str) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        info = Element("query", "http://jabber.org/protocol/disco#info")
        assert (await ask(romeo, info, "get", "juliet@localhost")).get("type") == "result"
        await block(juliet, ROMEO)
        await came(romeo)
        assert read_error(await ask(romeo, info, "get", to)).condition == "service-unavailable"
        romeo.send("<iq type='result' id='1' to='juliet@localhost/balcony'/>")
        romeo.send("<iq type='error' id='1' to='juliet@localhost/balcony'><error type='cancel'/></iq>")
        assert await came(romeo) == []
        assert await came(juliet) == []


async def test_requests_are_refused_for_an_account_that_is_not_in_memory(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        juliet, _ = await friends(server)
        await block(juliet, ROMEO)
    async with serve(data=tmp_path) as server:
        romeo = await server.client("romeo")
        info = Element("query", "http://jabber.org/protocol/disco#info")
        answer = await ask(romeo, info, "get", "juliet@localhost")
        assert read_error(answer).condition == "service-unavailable"


async def test_no_presence_comes_from_blocked_addresses() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await came(romeo)
        romeo.send("<presence><show>away</show></presence>")
        romeo.send("<presence to='juliet@localhost'/>")
        romeo.send("<presence to='juliet@localhost/balcony'/>")
        romeo.send("<presence type='probe' to='juliet@localhost'/>")
        romeo.send("<presence type='unsubscribe' to='juliet@localhost'/>")
        await came(romeo)
        assert await came(juliet) == []
        chamber = await server.client("juliet/chamber")
        chamber.send("<presence/>")
        assert {stanza.get("from") for stanza in await came(chamber)} == {
            "juliet@localhost/chamber",
            "juliet@localhost/balcony",
        }
        orchard = [stanza for stanza in await came(romeo) if stanza.get("from").startswith("juliet")]
        assert orchard == []


async def test_who_comes_online_does_not_see_those_who_block_them() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        garden = await server.client("romeo/garden")
        garden.send("<presence/>")
        seen = {stanza.get("from") for stanza in await came(garden)}
        assert seen == {"romeo@localhost/orchard", "romeo@localhost/garden"}
        await came(romeo)


async def test_a_request_of_somebody_blocked_does_not_come_again() -> None:
    async with serve() as server:
        await server.add_account("juliet")
        tybalt = await server.client("tybalt", presence=True)
        tybalt.send("<presence type='subscribe' to='juliet@localhost'/>")
        await came(tybalt)
        balcony = await server.client("juliet/balcony")
        balcony.send("<presence/>")
        assert "subscribe" in [stanza.get("type") for stanza in await came(balcony)]
        await block(balcony, "tybalt@localhost")
        tybalt.send("<presence type='subscribe' to='juliet@localhost'/>")
        assert await came(tybalt) == []
        assert await came(balcony) == []
        chamber = await server.client("juliet/chamber")
        chamber.send("<presence/>")
        assert "subscribe" not in [stanza.get("type") for stanza in await came(chamber)]


# -- what goes to blocked addresses


@pytest.mark.parametrize(
    "stanza",
    [
        "<message to='romeo@localhost'><body>Can you hear me now?</body></message>",
        "<message to='romeo@localhost/orchard' type='chat'/>",
        "<presence to='romeo@localhost/orchard'/>",
        "<presence to='romeo@localhost' type='subscribe'/>",
        "<presence to='romeo@localhost' type='unsubscribed'/>",
        "<presence to='romeo@localhost' type='probe'/>",
        "<iq to='romeo@localhost/orchard' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='romeo@localhost' type='set' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    ],
)
async def test_what_goes_there_comes_back(stanza: str) -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await came(romeo)
        juliet.send(stanza)
        (error,) = await came(juliet)
        assert error.get("from").startswith(ROMEO)
        assert is_blocked_error(error)
        assert await came(romeo) == []


async def test_answers_to_blocked_addresses_are_dropped() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await came(romeo)
        juliet.send("<iq to='romeo@localhost/orchard' type='result' id='1'/>")
        juliet.send("<message to='romeo@localhost/orchard' type='error'><error type='cancel'/></message>")
        assert await came(juliet) == []
        assert await came(romeo) == []


async def test_who_is_blocked_sees_the_account_go_and_come_back() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        chamber = await server.client("juliet/chamber", presence=True)
        juliet.send("<presence><show>chat</show></presence>")
        await came(juliet)
        await came(romeo)
        await block(juliet, ROMEO)
        gone = await came(romeo)
        assert {(stanza.get("from"), stanza.get("type")) for stanza in gone} == {
            ("juliet@localhost/balcony", "unavailable"),
            ("juliet@localhost/chamber", "unavailable"),
        }
        juliet.send("<presence><show>away</show></presence>")
        await came(juliet)
        assert await came(romeo) == []
        romeo.send("<presence><show>dnd</show></presence>")
        await came(romeo)
        await came(juliet)
        await unblock(juliet, ROMEO)
        back = await came(romeo)
        assert {(stanza.get("from"), stanza.get("type"), stanza.child_text("show")) for stanza in back} == {
            ("juliet@localhost/balcony", "", "away"),
            ("juliet@localhost/chamber", "", ""),
        }
        for client in (juliet, chamber):
            assert ("romeo@localhost/orchard", "dnd") in [
                (stanza.get("from"), stanza.child_text("show")) for stanza in await came(client)
            ]


async def test_whose_presence_is_seen_is_seen_again() -> None:
    """Also where they don't see the account's."""
    async with serve() as server:
        juliet = await server.client("juliet/balcony", presence=True)
        romeo = await server.client("romeo/orchard", presence=True)
        await subscribe(juliet, romeo)
        await block(juliet, ROMEO)
        romeo.send("<presence><show>dnd</show></presence>")
        await romeo.settle()
        await came(juliet)
        await unblock(juliet)
        shown = [stanza.child_text("show") for stanza in await came(juliet) if stanza.name == "presence"]
        assert shown == ["dnd"]
        assert not [stanza for stanza in await came(romeo) if stanza.get("from").startswith("juliet@localhost/")]


async def test_who_is_blocked_and_loses_the_subscription_learns_nothing_of_sessions(chirrup_server: Any) -> None:
    async with chirrup_server() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await came(romeo)
        juliet.send(
            "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='romeo@localhost' "
            "subscription='remove'/></query></iq>"
        )
        await juliet.settle()
        assert [stanza.get("from") for stanza in await came(romeo) if stanza.name == "presence"] == []
        roster = await romeo.ask(Element("iq", CLIENT, Element("query", "jabber:iq:roster"), type="get"))
        assert "subscription='none'" in str(roster)


async def test_a_request_to_somebody_blocked_elsewhere_is_not_sent_again(chirrup_server: Any, remote: Any) -> None:
    async with chirrup_server() as server:
        other = remote(server, "example.net")
        juliet = await server.client("juliet/balcony", presence=True)
        juliet.send("<presence type='subscribe' to='romeo@example.net'/>")
        await juliet.settle()
        assert other.take() == [("subscribe", "juliet@localhost", "romeo@example.net")]
        await block(juliet, "example.net")
        juliet.send("<presence type='unavailable'/><presence/>")
        await juliet.settle()
        assert other.take() == []
        await unblock(juliet)
        juliet.send("<presence type='unavailable'/><presence/>")
        await juliet.settle()
        assert other.take() == [("subscribe", "juliet@localhost", "romeo@example.net")]


async def test_strangers_hear_nothing_of_being_blocked() -> None:
    async with serve() as server:
        juliet = await server.client("juliet", presence=True)
        tybalt = await server.client("tybalt", presence=True)
        await block(juliet, "tybalt@localhost")
        await unblock(juliet)
        assert await came(tybalt) == []


async def test_directed_presence_ends_with_a_block() -> None:
    async with serve() as server:
        juliet = await server.client("juliet/balcony", presence=True)
        tybalt = await server.client("tybalt/home", presence=True)
        juliet.send("<presence to='tybalt@localhost/home'/>")
        await juliet.settle()
        assert len(await came(tybalt)) == 1
        await block(juliet, "tybalt@localhost")
        (gone,) = await came(tybalt)
        assert (gone.get("from"), gone.get("type")) == ("juliet@localhost/balcony", "unavailable")
        await juliet.close()
        assert await came(tybalt) == []


async def test_what_another_item_still_blocks_stays_blocked() -> None:
    async with serve() as server:
        juliet, romeo = await friends(server)
        await block(juliet, ROMEO)
        await came(romeo)
        await block(juliet, "localhost")
        await unblock(juliet, ROMEO)
        assert await came(romeo) == []
        juliet.send("<message to='romeo@localhost'/>")
        assert is_blocked_error((await came(juliet))[0])


async def test_ones_own_account_and_server_are_never_blocked() -> None:
    async with serve() as server:
        balcony = await server.client("juliet/balcony", presence=True)
        chamber = await server.client("juliet/chamber", presence=True)
        await came(balcony)
        await block(balcony, "juliet@localhost", "juliet@localhost/chamber", "localhost")
        chamber.send("<message to='juliet@localhost/balcony' type='chat'><body>hi</body></message>")
        assert await came(chamber) == []
        assert [stanza.name for stanza in await came(balcony)] == ["message"]
        chamber.send("<presence><show>away</show></presence>")
        await came(chamber)
        assert [stanza.name for stanza in await came(balcony)] == ["presence"]
        assert (await ask(balcony, Element("ping", "urn:xmpp:ping"), "get", "localhost")).get("type") == "result"


# -- reports


def report(reason: str = SPAM, text: str = "Never came trouble") -> Report:
    return Report(reason, (Text(text, "en"),))


async def test_reports_reach_those_who_should_know() -> None:
    async with serve({"modules": {"blocking": {"report_to": ["friar@localhost"]}}}) as server:
        friar = await server.client("friar", presence=True)
        juliet, romeo = await friends(server)
        watching = await server.client("juliet/watching")
        await blocked(watching)
        items = (Item(JID(ROMEO), report()), Item(JID("example.org")))
        assert (await ask(juliet, Block(items).to_element())).get("type") == "result"
        (message,) = await came(friar)
        assert message.get("from") == "localhost"
        assert message.child_text("body") == f"juliet@localhost reports {ROMEO}: {SPAM}\nNever came trouble"
        assert Item.find(message) == items[0]
        (push,) = await came(watching)
        assert push.first is not None
        assert Block.parse(push.first).items[0].report is None
        assert await blocked(juliet) == [ROMEO, "example.org"]
        assert all(stanza.name == "presence" for stanza in await came(romeo))


async def test_a_report_without_a_reason_is_none_and_blocks() -> None:
    """XEP-0377 §6: the address is blocked as if there were no report."""
    async with serve({"modules": {"blocking": {"report_to": ["friar@localhost"]}}}) as server:
        friar = await server.client("friar", presence=True)
        juliet = await server.client("juliet")
        element = parse_element(
            f"<block xmlns='{NS}'><item jid='{ROMEO}'><report xmlns='urn:xmpp:reporting:1'/></item></block>"
        )
        assert (await ask(juliet, element)).get("type") == "result"
        assert await blocked(juliet) == [ROMEO]
        assert not await came(friar)


async def test_only_so_many_reports_are_heard_in_a_day() -> None:
    clock = FakeClock(1_700_000_000.0)
    settings = {"modules": {"blocking": {"report_to": ["friar@localhost"], "max_reports": 2}}}
    async with serve(settings, clock=clock) as server:
        friar = await server.client("friar", presence=True)
        juliet = await server.client("juliet")
        for number in range(3):
            await ask(juliet, Block((Item(JID(f"{number}@example.org"), report(ABUSE)),)).to_element())
        assert len(await came(friar)) == 2
        assert len(await blocked(juliet)) == 3
        clock.advance(86_400)
        await ask(juliet, Block((Item(JID("0@example.org"), report(ABUSE)),)).to_element())
        assert len(await came(friar)) == 1
