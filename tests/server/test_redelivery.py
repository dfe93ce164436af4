"""What becomes of stanzas that nobody acknowledged (XEP-0198 §4): redelivered, kept or returned; nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from chirrup.core.values import format_datetime
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import FakeClock

SM = "urn:xmpp:sm:3"
DELAY = "urn:xmpp:delay"

HEAR = """
from chirrup.server.module import Module, Redelivery
from chirrup.server import hooks

class Hear(Module):
    "Writes down what arrives, and whether it did before; keeps what has been archived from going on."

    async def start(self):
        self.heard = []

    @hooks.message_in()
    def arrives(self, account, stanza, to, origin):
        self.heard.append((stanza.get("id"), to.text, isinstance(origin, Redelivery)))
        if isinstance(origin, Redelivery) and stanza.child("stanza-id", "urn:xmpp:sid:0") is not None:
            return True
        if stanza.get("id") == "archived":
            stanza.append(__import__("chirrup.core.xml").core.xml.Element("stanza-id", "urn:xmpp:sid:0", id="1"))
        if stanza.get("id") == "fails":
            assert not isinstance(origin, Redelivery)
"""


NO_ARCHIVE = {"hosts": {"localhost": {"modules_disabled": ["archive"]}}}


def message(to, id_, kind="chat", inside=""):
    return f"<message to='{to}' type='{kind}' id='{id_}'><body>{id_}</body>{inside}</message>"


def ids(client):
    return [element.get("id") for element in client.received if element.name == "message"]


async def next_ids(client, count):
    """The ids of so many messages that come next."""
    found = []
    while len(found) < count:
        element = await client.receive()
        found += [element.get("id")] if element.name == "message" else []
    return found


def without_archive(settings):
    settings["hosts"]["localhost"]["modules_disabled"] = ["archive"]
    return settings


async def end(they, session):
    """End a session whose client is away, and let what follows happen."""
    session.expire()
    await they.until(lambda: not they.server.server._tasks)


async def test_to_another_resource_with_the_time(managers):
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        bob.send(message(phone.jid, "before"))
        await bob.settle()
        sent = clock.time()
        session = await they.cut(phone)
        clock.advance(100)
        bob.send(message(phone.jid, "meanwhile"))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        clock.advance(50)
        await end(they, session)
        await laptop.settle()
        first, second = [element for element in laptop.received if element.name == "message"]
        assert (first.get("id"), second.get("id")) == ("before", "meanwhile")
        assert first.get("from") == str(bob.jid)
        for element, moment in ((first, sent), (second, sent + 100)):
            delay = element.child("delay", DELAY)
            assert delay.attrs == {"from": "localhost", "stamp": format_datetime(datetime.fromtimestamp(moment, UTC))}
        await bob.settle()
        assert not bob.received


async def test_kept_where_nobody_is_there(managers):
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send("".join(message(to, to) for to in ("alice@localhost/phone", "alice@localhost")))
        bob.send(message(phone.jid, "normal", "normal"))
        await bob.settle()
        clock.advance(30)
        await end(they, session)
        again = await they.server.client("alice/another")
        again.send("<presence/>")
        received = [await again.receive() for _ in range(4)]
        assert [e.get("id") for e in received[1:]] == ["alice@localhost/phone", "alice@localhost", "normal"]
        for element in received[1:]:
            assert len(list(element.elements("delay", DELAY))) == 1


async def test_what_was_acknowledged_stays_where_it_is(managers):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        laptop = await they.server.client("alice/laptop", presence=True)
        bob = await they.server.client("bob/desk")
        bob.send("".join(message(phone.jid, number) for number in range(4)))
        await bob.settle()
        received = [await phone.receive() for _ in range(5)]
        read = [element.name for element in received].index("message") + 2
        phone.send(f"<a xmlns='{SM}' h='{1 + read}'/>")
        session = they.session("alice/phone")
        await they.until(lambda: session.management.acknowledged == 1 + read)
        await end(they, await they.cut(phone))
        await laptop.settle()
        left = [element.get("id") for element in received[read:] if element.name == "message"]
        assert ids(laptop) == left


async def test_questions_are_answered(managers):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        phone.send(f"<presence to='{bob.jid}'/>")  # who isn't told of somebody's presence may not ask
        await bob.receive()
        session = await they.cut(phone)
        await they.server.client("alice/laptop", presence=True)
        for kind in ("get", "set"):
            bob.send(Element("iq", CLIENT, Element("x", "urn:x"), type=kind, id=kind, to=phone.jid))
        bob.send(Element("iq", CLIENT, type="result", id="result", to=phone.jid))
        await bob.settle()
        assert not bob.received
        await end(they, session)
        assert (await bob.receive()).get("type") == "unavailable"
        for kind in ("get", "set"):
            answer = await bob.receive()
            assert (answer.get("type"), answer.get("id"), answer.get("from")) == ("error", kind, str(phone.jid))
            assert answer.child("error").first.name == "service-unavailable"
        await bob.settle()
        assert not bob.received


async def test_what_is_of_no_use_to_others(managers):
    """Presence, answers, errors, and what was meant for the session itself."""
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        laptop = await they.server.client("alice/laptop", presence=True)
        bob.send(f"<presence to='{phone.jid}'/>" + f"<message to='{phone.jid}' type='error' id='e'/>")
        await bob.settle()
        copy = "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>"
        session.write(f"<message from='alice@localhost' to='{phone.jid}' type='chat'>{copy}</message>".encode())
        result = "<result xmlns='urn:xmpp:mam:2' queryid='q'/>"
        session.write(f"<message from='room@rooms.localhost' to='{phone.jid}'>{result}</message>".encode())
        session.write(f"<message to='{phone.jid}'><body>of the server</body></message>".encode())
        session.write(f"<iq type='set' to='{phone.jid}' id='push'/>".encode())
        await end(they, session)
        await laptop.settle()
        assert [element.get("type") for element in laptop.received] == ["unavailable"]
        again = await they.server.client("alice/phone", presence=True)
        assert not again.received


@pytest.mark.parametrize("others", [True, False])
async def test_other_types_go_by_the_rules_of_delivery(managers, others):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        laptop = await they.server.client("alice/laptop", presence=others)
        bob.send(message(phone.jid, "room", "groupchat") + message(phone.jid, "news", "headline"))
        await bob.settle()
        await end(they, session)
        error = await bob.receive()
        assert (error.get("id"), error.get("type"), error.get("from")) == ("room", "error", str(phone.jid))
        await laptop.settle()
        await bob.settle()
        assert (ids(laptop), ids(bob)) == ([], [])


@pytest.mark.parametrize("resume", ["true", "false"])
async def test_a_client_that_leaves_in_order_without_a_word(managers, resume):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone", resume=resume)
        bob = await they.server.client("bob/desk")
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        await phone.close()
        again = await they.server.client("alice")
        again.send("<presence/>")
        assert [(await again.receive()).get("id") for _ in range(2)][1] == "1"


async def test_a_client_that_leaves_in_order_and_says_what_it_has(managers):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        bob.send(message(phone.jid, "1"))
        assert (await phone.receive()).get("id") == "1"
        phone.send(f"<a xmlns='{SM}' h='2'/>")
        await phone.close()
        again = await they.server.client("alice", presence=True)
        assert not again.received


async def test_a_session_that_cannot_be_resumed_is_cut(managers):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone", resume="false")
        laptop = await they.server.client("alice/laptop", presence=True)
        bob = await they.server.client("bob/desk")
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        phone.drop()
        await they.until(lambda: they.session("alice/phone") is None)
        await laptop.settle()
        assert ids(laptop) == ["1"]


async def test_from_one_to_the_next_until_nobody_is_left(managers):
    async with managers(NO_ARCHIVE) as they:
        bob = await they.server.client("bob/desk")
        sessions = [await they.cut((await they.client(f"alice/{name}"))[0]) for name in "abc"]
        bob.send(message(sessions[0].jid, "1"))
        await bob.settle()
        for session in sessions:
            await end(they, session)
        again = await they.server.client("alice/d")
        again.send("<presence/>")
        assert (await again.receive()).name == "presence"
        assert (await again.receive()).get("id") == "1"
        await again.settle()
        assert "1" not in ids(again)
        await bob.settle()
        assert not bob.received


async def test_back_to_the_sender_where_there_is_no_room(managers):
    async with managers({**NO_ARCHIVE, "limits": {"offline_messages": 1}}) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "1") + message(phone.jid, "2"))
        await bob.settle()
        await end(they, session)
        error = await bob.receive()
        assert (error.get("id"), error.child("error").first.name) == ("2", "service-unavailable")


async def test_modules_can_tell_it_from_what_arrives(managers, module):
    async with managers(without_archive(module(HEAR))) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        hear = next(m for m in they.server.server.hosts["localhost"].modules.values() if m.name() == "under_test")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "new") + message(phone.jid, "archived"))
        await bob.settle()
        hear.heard.clear()
        laptop = await they.server.client("alice/laptop", presence=True)
        await end(they, session)
        assert hear.heard == [("new", "alice@localhost", True), ("archived", "alice@localhost", True)]
        await laptop.settle()
        assert ids(laptop) == ["new"]


async def test_a_module_that_fails_at_one_takes_no_other_with_it(managers, module):
    async with managers(without_archive(module(HEAR))) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "fails") + message(phone.jid, "2"))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == ["2"]


async def test_a_server_that_stops_keeps_all(managers):
    async with managers(NO_ARCHIVE, name="one") as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop", resume="false")
        bob = await they.server.client("bob/desk")
        await they.cut(phone)
        bob.send(message(phone.jid, "phone") + message(laptop.jid, "laptop"))
        await bob.settle()
        await they.stop(bob, laptop)
    async with managers(NO_ARCHIVE, name="one") as they:
        again = await they.server.client("alice")
        again.send("<presence/>")
        received = [await again.receive() for _ in range(3)]
        assert sorted(element.get("id") for element in received[1:]) == ["laptop", "phone"]


async def test_hundreds_in_their_order(managers):
    settings = {**NO_ARCHIVE, "limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}}
    async with managers(settings) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send("".join(message(phone.jid, number, inside="<x xmlns='urn:x'>&lt;é</x>") for number in range(900)))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == [str(number) for number in range(900)]
        assert laptop.received[-1].child("x", "urn:x").text == "<é"


async def test_others_have_their_turns_and_nothing_overtakes_what_is_left(managers):
    """Thousands of stanzas, as wait for a client that acknowledges nothing, would hold everybody up for long."""
    settings = {**NO_ARCHIVE, "limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9}}
    async with managers(settings) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send("".join(message(phone.jid, number) for number in range(900)))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        session.expire()
        assert session.account.redelivering is not None
        bob.send(message(laptop.jid.bare, "one more") + message(laptop.jid, "another"))
        await bob.settle()
        await laptop.settle()
        assert ids(laptop) == [*map(str, range(900)), "one more", "another"]
        assert session.account.redelivering is None


async def test_what_was_sent_first_comes_first_where_another_session_ends_meanwhile(managers):
    """Half of what the phone leaves stands with the laptop already, in place of its copies, when that is over too."""
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        await they.copies(laptop)
        clock.advance(1)
        bob = await they.server.client("bob/desk")
        first, second = await they.cut(phone), await they.cut(laptop)
        for number in range(200):
            bob.send(message(phone.jid, number))
            await bob.settle()
            clock.advance(1)
        first.expire()
        assert first.account.redelivering is not None
        await end(they, second)
        tablet = await they.server.client("alice/tablet")
        tablet.send("<presence/>")
        assert await next_ids(tablet, 200) == [*map(str, range(200))]


async def test_a_server_that_stops_in_the_middle_keeps_the_rest(managers):
    async with managers(NO_ARCHIVE, name="one") as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send("".join(message(phone.jid, number) for number in range(200)))
        await bob.settle()
        session.expire()
        assert session.account.redelivering is not None
        await they.server.server.hosts["localhost"].stop()
        assert session.account.redelivering is None or session.account.redelivering.over.done()
        await they.stop(bob)
    async with managers(NO_ARCHIVE, name="one") as they:
        again = await they.server.client("alice")
        again.send("<presence/>")
        assert await next_ids(again, 200) == [*map(str, range(200))]


# -- who has it already


@pytest.mark.parametrize("settings", [{}, NO_ARCHIVE], ids=["archived", "not archived"])
@pytest.mark.parametrize("acknowledged", [True, False])
async def test_what_was_for_all_is_given_to_nobody_twice(managers, settings, acknowledged):
    """The laptop had it as the phone did; the tablet came later, and the watch was away when it came."""
    clock = FakeClock()
    async with managers(settings, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        plain = await they.server.client("alice/plain", presence=True)
        watch = await they.server.client("alice/watch", presence=True)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        clock.advance(1)
        watch.send("<presence type='unavailable'/>")
        await watch.settle()
        clock.advance(1)
        bob.send(message("alice@localhost", "1"))
        await bob.settle()
        if acknowledged:
            await they.acknowledge_all(laptop)
        clock.advance(1)
        tablet = await they.server.client("alice/tablet", presence=True)
        watch.send("<presence/>")
        await watch.settle()
        clock.advance(1)
        await end(they, session)
        everybody = (laptop, plain, watch, tablet)
        await asyncio.gather(*(client.settle() for client in everybody))
        clock.advance(1)
        await end(they, await they.cut(laptop))
        await asyncio.gather(*(client.settle() for client in everybody[1:]))
        assert [ids(client) for client in everybody] == [["1"], ["1"], ["1"], ["1"]]


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_who_sets_the_time_of_day_does_not_change_who_has_a_message(managers, seconds):
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        copied = await they.server.client("alice/copied", presence=True)
        await they.copies(copied)
        clock.advance(1)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        clock.advance(1)
        sent = clock.time()
        bob.send(message("alice@localhost", "for all") + message(phone.jid, "for the phone"))
        await bob.settle()
        clock.advance(1)
        clock.set(seconds)
        tablet = await they.server.client("alice/tablet", presence=True)
        late = await they.server.client("alice/late", presence=True)
        await they.copies(late)
        clock.advance(1)
        await end(they, session)
        await asyncio.gather(*(client.settle() for client in (laptop, tablet, late)))
        assert [ids(client) for client in (laptop, tablet, late)] == [
            ["for all", "for the phone"], ["for all", "for the phone"], ["for all", "for the phone"]
        ]  # fmt: skip
        await copied.settle()
        assert ids(copied) == ["for all", ""], "the second one is a copy"
        delay = next(e for e in tablet.received if e.name == "message").child("delay", DELAY)
        assert delay.get("stamp") == format_datetime(datetime.fromtimestamp(sent + seconds, UTC))


async def test_who_was_away_with_another_priority_then(managers):
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone", presence=False)
        laptop = await they.server.client("alice/laptop", presence=True)
        bob = await they.server.client("bob/desk")
        phone.send("<presence><priority>5</priority></presence>")
        await phone.settle()
        clock.advance(1)
        bob.send(message("alice@localhost", "for the phone"))
        await bob.settle()
        clock.advance(1)
        await end(they, await they.cut(phone))
        await laptop.settle()
        assert ids(laptop) == ["for the phone"]


@pytest.mark.parametrize("settings", [{}, NO_ARCHIVE], ids=["archived", "not archived"])
async def test_what_was_for_one_client_is_new_to_others_without_a_copy(managers, settings):
    clock = FakeClock()
    async with managers(settings, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop = await they.server.client("alice/laptop", presence=True)
        copied, _ = await they.client("alice/copied")
        await they.copies(copied)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        clock.advance(1)
        bob.send(message(phone.jid, "1"))
        bob.send(message(phone.jid, "private", inside="<no-copy xmlns='urn:xmpp:hints'/>"))
        await bob.settle()
        await they.acknowledge_all(copied)
        clock.advance(10)
        await end(they, session)
        await asyncio.gather(laptop.settle(), copied.settle())
        assert ids(laptop) == ["1", "private"]
        assert ids(copied) == ["", "private"]  # the copy of the first, and the second


@pytest.mark.parametrize("settings", [{}, NO_ARCHIVE], ids=["archived", "not archived"])
async def test_a_copy_that_may_not_have_come_turns_into_the_message(managers, settings):
    """Both clients are away: it comes once, and goes on when the second doesn't come back either."""
    clock = FakeClock()
    async with managers(settings, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, enabled = await they.client("alice/laptop")
        await they.copies(laptop)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        before = (await they.cut(laptop)).management.sent
        clock.advance(1)
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        clock.advance(10)
        await end(they, session)
        laptop, _ = await they.back("alice/laptop", enabled.get("id"), before)
        await laptop.settle()
        assert ids(laptop) == ["1"]
        await end(they, await they.cut(laptop))
        tablet = await they.server.client("alice/tablet")
        tablet.send("<presence/>")
        while (element := await tablet.receive()).name != "message":
            pass
        assert element.get("id") == "1"


async def test_a_copy_that_turned_into_the_message_is_given_to_nobody_twice(managers):
    clock = FakeClock()
    async with managers(NO_ARCHIVE, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        await they.copies(laptop)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        clock.advance(1)
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        clock.advance(1)
        tablet = await they.server.client("alice/tablet", presence=True)
        clock.advance(1)
        await end(they, session)
        clock.advance(1)
        await end(they, await they.cut(laptop))
        await tablet.settle()
        assert ids(tablet) == ["1"]


async def test_a_copy_counts_for_a_client_that_nobody_looks_at(managers):
    clock = FakeClock()
    async with managers({}, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        await they.copies(phone)
        phone.send("<inactive xmlns='urn:xmpp:csi:0'/>")
        bob = await they.server.client("bob/desk")
        await phone.settle()
        clock.advance(1)
        bob.send(message(laptop.jid, "1") + message(laptop.jid, "2"))
        bob.send(
            f"<message to='{laptop.jid}' type='chat' id='3'><received xmlns='urn:xmpp:receipts' id='0'/></message>"
        )
        await bob.settle()
        await they.acknowledge_all(phone)
        clock.advance(20)  # the copy of the receipt waits still
        await end(they, await they.cut(laptop))
        await phone.settle()
        assert ids(phone) == ["", "", ""]


async def test_a_copy_is_of_when_a_message_came_and_not_of_when_it_came_again(managers):
    """The tablet wanted copies after the message had come, and was online after it had come again."""
    clock = FakeClock()
    async with managers({}, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        clock.advance(10)
        laptop, _ = await they.client("alice/laptop")
        tablet, _ = await they.client("alice/tablet", presence=False)
        await they.copies(tablet)
        clock.advance(10)
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == ["1"]
        clock.advance(10)
        tablet.send("<presence/>")
        await tablet.settle()
        await end(they, await they.cut(laptop))
        await tablet.settle()
        assert ids(tablet) == ["1"]


async def test_what_two_sessions_leave_comes_to_a_third_once(managers):
    """It came when both had lost their connection, and before the third was there."""
    clock = FakeClock()
    async with managers({}, clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        tablet, _ = await they.client("alice/tablet")
        bob = await they.server.client("bob/desk")
        lost = [await they.cut(phone), await they.cut(tablet)]
        bob.send(message("alice@localhost", "1") + message("alice@localhost", "2"))
        await bob.settle()
        clock.advance(10)
        laptop, _ = await they.client("alice/laptop")
        for session in lost:
            await end(they, session)
        await laptop.settle()
        assert ids(laptop) == ["1", "2"]
        await end(they, await they.cut(laptop))  # who is responsible for them now
        desk, _ = await they.client("alice/desk")
        assert [(await desk.receive()).get("id") for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("settings", [{}, NO_ARCHIVE], ids=["archived", "not archived"])
async def test_what_ones_own_client_has_sent_to_another_is_not_delivered_where_it_came_from(managers, settings):
    async with managers(settings) as they:
        phone, _ = await they.client("alice/phone")
        laptop = await they.server.client("alice/laptop", presence=True)
        await they.copies(laptop)
        session = await they.cut(phone)
        laptop.send(message(phone.jid, "note"))
        await laptop.settle()
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == []
        phone = await they.server.client("alice/phone")
        phone.send("<presence/>")
        while (element := await phone.receive()).name != "message":
            pass
        assert element.get("id") == "note"


async def test_who_has_been_blocked_since_is_told_that_it_did_not_arrive(managers):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        block = Element("block", "urn:xmpp:blocking", Element("item", "urn:xmpp:blocking", jid="bob@localhost"))
        laptop.send(Element("iq", CLIENT, block, type="set", id="b"))
        await laptop.settle()
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == []
        error = await bob.receive()
        assert (error.get("id"), error.get("from")) == ("1", str(phone.jid))
        assert error.child("error").first.name == "service-unavailable"


# -- what is told of it


def told(caplog):
    return [record.values for record in caplog.records if "unacknowledged stanzas go on" in record.getMessage()]


@pytest.mark.parametrize(
    ("others", "fates"), [(False, {"kept": 2, "returned": 1}), (True, {"delivered": 2, "returned": 1})]
)
async def test_the_log_says_what_has_become_of_it(managers, caplog, others, fates):
    caplog.set_level("INFO")
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "1") + message(phone.jid, "2") + message(phone.jid, "room", "groupchat"))
        await bob.settle()
        await they.server.client("alice/laptop", presence=others)
        await end(they, session)
        (values,) = told(caplog)
        assert {name: values.get(name) for name in ("delivered", "kept", "returned") if name in values} == fates


async def test_the_log_says_nothing_of_what_goes_nowhere(managers, caplog):
    """Whoever leaves with an answer, presence or a copy unacknowledged has lost nothing."""
    caplog.set_level("INFO")
    async with managers() as they:
        phone, _ = await they.client("alice/phone")
        await they.copies(phone)
        laptop = await they.server.client("alice/laptop", presence=True)
        bob = await they.server.client("bob/desk")
        bob.send(message(laptop.jid, "1") + message("alice@localhost", "2") + f"<presence to='{phone.jid}'/>")
        await bob.settle()
        phone.send("<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
        await phone.close()
        await they.until(lambda: they.session("alice/phone") is None)
        assert not told(caplog)


async def test_what_is_no_stanza_takes_no_other_with_it(managers, caplog):
    async with managers(NO_ARCHIVE) as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "1"))
        await bob.settle()
        session.write(b"<message><body>\x00</body></message>")
        bob.send(message(phone.jid, "2"))
        await bob.settle()
        laptop = await they.server.client("alice/laptop", presence=True)
        await end(they, session)
        await laptop.settle()
        assert ids(laptop) == ["1", "2"]
        assert any("is no stanza" in record.getMessage() for record in caplog.records)


# -- what is in the archive


async def test_what_is_archived_goes_to_those_who_came_later(managers):
    """Others had a copy, or fetch it from there."""
    clock = FakeClock()
    async with managers(clock=clock) as they:
        phone, _ = await they.client("alice/phone")
        laptop, _ = await they.client("alice/laptop")
        await they.copies(laptop)
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        clock.advance(1)
        bob.send(message(phone.jid, "archived"))
        await bob.settle()
        await they.acknowledge_all(laptop)
        clock.advance(5)
        tablet = await they.server.client("alice/tablet", presence=True)
        await end(they, session)
        await asyncio.gather(laptop.settle(), tablet.settle(), bob.settle())
        assert (ids(laptop), ids(tablet), ids(bob)) == ([""], ["archived"], [])


async def test_what_is_archived_waits_where_nobody_is_there(managers):
    async with managers() as they:
        phone, _ = await they.client("alice/phone")
        bob = await they.server.client("bob/desk")
        session = await they.cut(phone)
        bob.send(message(phone.jid, "archived"))
        await bob.settle()
        await end(they, session)
        again = await they.server.client("alice/another")
        again.send("<presence/>")
        while (element := await again.receive()).name != "message":
            assert element.get("id") != "archived"
        assert element.get("id") == "archived"
        while (question := await again.receive()).get("type") != "get":
            pass
        again.send(Element("iq", CLIENT, type="result", id=question.get("id"), to=question.get("from")))
        await again.settle()
        await again.close()
        again = await they.server.client("alice/another", presence=True)
        await again.settle()
        await bob.settle()
        assert (ids(again), ids(bob)) == ([], [])
