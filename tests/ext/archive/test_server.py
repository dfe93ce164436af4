from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chirrup.core.errors import StanzaError
from chirrup.core.stanza import read_error
from chirrup.core.values import format_datetime
from chirrup.core.xml import CLIENT, XML_LANG, Element
from chirrup.ext.archive import EXTENDED, GROUPCHAT_FIELD, NS
from chirrup.ext.archive.payloads import Metadata, Query
from chirrup.ext.disco.payloads import Feature, Info
from chirrup.ext.rsm.payloads import Set
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.testing import FakeClock, TestClient, TestServer, serve

UNHURRIED = {"limits": {"burst_bytes": 100_000_000}}
Ask = Callable[..., Awaitable[Any]]


def say(client: TestClient, text: str, to: str = "juliet@localhost", inside: str = "", *, kind: str = "chat") -> None:
    client.send(f"<message to='{to}' type='{kind}' id='m'><body>{text}</body>{inside}</message>")


async def talk(server: TestServer, *words: str, clock: FakeClock | None = None) -> tuple[TestClient, TestClient]:
    """Romeo and Juliet, after he has said that to her, one second apart if there is a clock."""
    juliet = await server.client("juliet@localhost/balcony", presence=True)
    romeo = await server.client("romeo@localhost/orchard", presence=True)
    for text in words:
        say(romeo, text)
        if clock is not None:
            await romeo.settle()
            clock.advance(1)
    await romeo.settle()
    await juliet.settle()
    return romeo, juliet


def heard(client: TestClient) -> list[Element]:
    """The messages received by now, taken out of what was received."""
    found = [stanza for stanza in client.received if stanza.name == "message"]
    client.received.clear()
    return found


async def refusal(answer: Awaitable[Any]) -> str:
    with pytest.raises(StanzaError) as caught:
        await answer
    return caught.value.condition


# -- what is archived


async def test_both_ends_find_what_was_said(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server, "one", "two", "three")
        live = heard(juliet)
        his, hers = await query(romeo), await query(juliet)
        assert his.texts == hers.texts == ["one", "two", "three"]
        assert not set(his.ids) & set(hers.ids)
        first = dict(hers.messages[0].attrs)
        assert first.pop(XML_LANG) == "en"
        assert first == {"from": "romeo@localhost/orchard", "to": "juliet@localhost", "type": "chat", "id": "m"}
        assert his.messages == hers.messages
        assert [stanza_id_by(stanza, juliet.jid.bare) for stanza in live] == hers.ids
        assert not any(stanza_id_by(stanza, romeo.jid.bare) for stanza in live)
        assert hers.fin.complete
        said = hers.fin.set
        assert (said.first.uid, said.first.index, said.last, said.count) == (hers.ids[0], 0, hers.ids[2], 3)


async def test_a_message_to_two_clients_is_archived_once(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server)
        chamber = await server.client("juliet@localhost/chamber", presence=True)
        say(romeo, "to both")
        await romeo.settle()
        await juliet.settle()
        await chamber.settle()
        (uid,) = (await query(juliet)).ids
        for client in juliet, chamber:
            (stanza,) = heard(client)
            assert stanza_id_by(stanza, juliet.jid.bare) == uid


async def test_a_message_to_oneself_is_archived_once(query: Ask) -> None:
    async with serve() as server:
        _, juliet = await talk(server, "from romeo")
        chamber = await server.client("juliet@localhost/chamber", presence=True)
        say(juliet, "a note", to="juliet@localhost")
        say(juliet, "to the chamber", to="juliet@localhost/chamber")
        juliet.send("<message type='chat'><body>to nobody else</body></message>")
        say(juliet, "to romeo", to="romeo@localhost")
        await juliet.settle()
        await chamber.settle()
        own = ["a note", "to the chamber", "to nobody else"]
        assert (await query(juliet)).texts == ["from romeo", *own, "to romeo"]
        for address in ("juliet@localhost", "juliet@localhost/balcony"):
            assert (await query(juliet, with_=address)).texts == own


async def test_a_headline_is_archived_where_its_sender_asks_for_it(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server)
        say(romeo, "passing", kind="headline")
        say(romeo, "lasting", inside="<store xmlns='urn:xmpp:hints'/>", kind="headline")
        await romeo.settle()
        await juliet.settle()
        assert [stanza_id_by(stanza, juliet.jid.bare) for stanza in heard(juliet)] == ["", *(await query(juliet)).ids]
        assert (await query(romeo)).texts == (await query(juliet)).texts == ["lasting"]


@pytest.mark.parametrize("to", ["juliet@localhost", "juliet@localhost/elsewhere"])
async def test_so_is_one_that_nobody_is_there_for(query: Ask, to: str) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server)
        juliet.send("<presence type='unavailable'/>")
        await juliet.settle()
        say(romeo, "passing", kind="headline", to=to)
        say(romeo, "lasting", inside="<store xmlns='urn:xmpp:hints'/>", kind="headline", to=to)
        await romeo.settle()
        assert (await query(juliet)).texts == ["lasting"]
        juliet.send("<presence/>")
        await juliet.settle()
        assert not [stanza for stanza in heard(juliet) if stanza.get("type") == "headline"]


async def test_what_was_refused_is_in_its_senders_archive_only(query: Ask) -> None:
    async with serve({"limits": {"offline_messages": 1}}) as server:
        romeo, juliet = await talk(server)
        await juliet.close()
        say(romeo, "kept")
        say(romeo, "no room")
        await romeo.settle()
        assert (await query(romeo)).texts == ["kept", "no room"]
        assert (await query(await server.client("juliet"))).texts == ["kept"]


async def test_forged_ids_are_taken_away(query: Ask) -> None:
    def forged(by: str) -> str:
        return f"<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='{by}'/>"

    async with serve() as server:
        romeo, juliet = await talk(server)
        room, origin = forged("room@example.net"), "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
        ours = "".join(map(forged, ("juliet@localhost", "JULIET@LOCALHOST", "romeo@localhost", "localhost")))
        say(romeo, "hi", inside=ours + room + origin)
        await romeo.settle()
        await juliet.settle()
        (live,) = heard(juliet)
        ids = {one.get("by"): one.get("id") for one in live.elements("stanza-id", "urn:xmpp:sid:0")}
        assert ids == {"room@example.net": "forged", "juliet@localhost": (await query(juliet)).ids[0]}
        assert live.child("origin-id", "urn:xmpp:sid:0") is not None
        for client in romeo, juliet:
            (message,) = (await query(client)).messages
            assert [one.get("by") for one in message.elements("stanza-id", "urn:xmpp:sid:0")] == ["room@example.net"]


async def test_forged_ids_from_elsewhere(query: Ask, remote: Callable[..., Any]) -> None:
    async with serve() as server:
        _, juliet = await talk(server)
        other = remote(server, "example.net")
        forged = "<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='juliet@localhost'/>"
        await other.send(f"<message from='romeo@example.net/x' to='juliet@localhost'><body>hi</body>{forged}</message>")
        await juliet.settle()
        (live,) = heard(juliet)
        assert [one.get("id") for one in live.elements("stanza-id", "urn:xmpp:sid:0")] == (await query(juliet)).ids


async def test_what_needs_declarations_is_found_as_it_was(query: Ask) -> None:
    inside = "<x:note xmlns:x='urn:example' x:kind='a&apos;b'>&lt;<stream:y xmlns:stream='urn:z'/></x:note>"
    async with serve() as server:
        romeo, juliet = await talk(server)
        say(romeo, "a &lt; b &amp; c", inside=inside)
        await romeo.settle()
        await juliet.settle()
        (live,) = heard(juliet)
        (message,) = (await query(juliet)).messages
        assert message.child_text("body") == "a < b & c"
        assert message.children == live.children[:-1]


async def test_it_outlives_the_server(tmp_path: Path, query: Ask) -> None:
    async with serve(data=tmp_path) as server:
        _, juliet = await talk(server, "one")
        before = await query(juliet)
    async with serve(data=tmp_path) as server:
        after = await query(await server.client("juliet"))
        assert (after.ids, after.texts) == (before.ids, before.texts)


# -- filters


async def test_with_whom(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server, "from orchard")
        home = await server.client("romeo@localhost/home")
        nurse = await server.client("nurse@localhost")
        say(home, "from home")
        say(nurse, "from nurse")
        await home.settle()
        await nurse.settle()
        say(juliet, "to bare", to="romeo@localhost")
        say(juliet, "to orchard", to="romeo@localhost/orchard")
        await juliet.settle()
        everything = ["from orchard", "from home", "from nurse", "to bare", "to orchard"]
        assert (await query(juliet)).texts == everything
        assert (await query(juliet, with_="ROMEO@localhost")).texts == [t for t in everything if "nurse" not in t]
        assert (await query(juliet, with_="romeo@localhost/orchard")).texts == ["from orchard", "to orchard"]
        assert (await query(juliet, with_="nobody@localhost")).texts == []
        assert (await query(romeo, with_="juliet@localhost")).fin.set.count == 4


async def test_when(query: Ask) -> None:
    clock = FakeClock(1_700_049_600.0)  # noon
    async with serve(clock=clock) as server:
        _, juliet = await talk(server, "0", "1", "2", "3", clock=clock)
        delays = [result.forwarded.delay for result in (await query(juliet)).results]
        stamps = [format_datetime(delay.stamp) for delay in delays if delay is not None]
        assert [stamp[:19] for stamp in stamps] == [f"2023-11-15T12:00:0{n}" for n in range(4)]
        assert (await query(juliet, start=stamps[1])).texts == ["1", "2", "3"]
        assert (await query(juliet, end=stamps[1])).texts == ["0", "1"]
        assert (await query(juliet, start=stamps[1], end=stamps[2])).texts == ["1", "2"]
        assert (await query(juliet, start="2023-11-15T14:00:01+02:00")).texts == ["1", "2", "3"]
        assert (await query(juliet, start=stamps[2], end=stamps[1])).texts == []


async def test_ids(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server, *"abcdef")
        ids = (await query(juliet)).ids
        assert (await query(juliet, after_id=ids[3])).texts == ["e", "f"]
        assert (await query(juliet, before_id=ids[2])).texts == ["a", "b"]
        assert (await query(juliet, after_id=ids[0], before_id=ids[4])).texts == ["b", "c", "d"]
        assert (await query(juliet, Set(max=1, before=""), after_id=ids[0], before_id=ids[4])).texts == ["d"]
        assert (await query(juliet, ids=[ids[4], ids[1]])).texts == ["b", "e"]
        assert (await query(juliet, Set(before=ids[2], after=ids[0]))).texts == ["b"]
        his = (await query(romeo)).ids[0]
        for unknown in ("nonsense", his):
            for field in ("after_id", "before_id", "ids"):
                assert await refusal(query(juliet, **{field: unknown})) == "item-not-found"
            assert await refusal(query(juliet, Set(after=unknown))) == "item-not-found"
            assert await refusal(query(juliet, Set(before=unknown))) == "item-not-found"
        assert await refusal(query(juliet, ids=[ids[0], his])) == "item-not-found"


# -- pages


async def test_pages(query: Ask) -> None:
    async with serve() as server:
        _, juliet = await talk(server, *"abcdefg")
        first = await query(juliet, Set(max=3))
        assert (first.texts, first.fin.complete, first.fin.set.count) == (["a", "b", "c"], False, 7)
        assert first.fin.set.first.index == 0
        second = await query(juliet, Set(max=3, after=first.fin.set.last))
        assert (second.texts, second.fin.complete) == (["d", "e", "f"], False)
        third = await query(juliet, Set(max=3, after=second.fin.set.last))
        assert (third.texts, third.fin.complete, third.fin.set.first.index) == (["g"], True, 6)
        last = await query(juliet, Set(max=3, before=""))
        assert (last.texts, last.fin.complete, last.fin.set.first.index) == (["e", "f", "g"], False, None)
        before = await query(juliet, Set(max=9, before=last.ids[0]))
        assert (before.texts, before.fin.complete, before.fin.set.first.index) == (["a", "b", "c", "d"], True, 0)
        flipped = await query(juliet, Set(max=3, before=""), flip=True)
        assert flipped.texts == ["g", "f", "e"]
        assert flipped.fin == last.fin
        count = await query(juliet, Set(max=0))
        assert (count.texts, count.fin.set, count.fin.complete) == ([], Set(count=7), False)
        count = await query(juliet, Set(max=0, after=third.fin.set.last))
        assert (count.texts, count.fin.set, count.fin.complete) == ([], Set(count=7), True), "nothing is left"
        beyond = await query(juliet, Set(after=third.fin.set.last))
        assert (beyond.texts, beyond.fin.set, beyond.fin.complete) == ([], Set(count=7), True)


async def test_pages_while_messages_come(query: Ask) -> None:
    """None is missing between two pages, and what was there when the last one was asked for is in it or before."""
    async with serve(UNHURRIED) as server:
        romeo, juliet = await talk(server, "0")
        sent = 1
        got: list[str] = []
        page = Set(max=9)
        while True:
            for _ in range(min(5, 60 - sent)):
                say(romeo, str(sent))
                say(juliet, f"answer {sent}", "romeo@localhost")
                sent += 1
            answer = await query(juliet, page)
            got += answer.texts
            if answer.fin.complete and sent == 60:
                break
            page = Set(max=9, after=answer.fin.set.last) if answer.texts else page
        await romeo.settle()
        texts = (await query(juliet, Set(max=250))).texts
        assert texts[: len(got)] == got
        assert len(texts) == 60 + 59
        assert "answer 59" in got, "her own, which came before she asked"
        assert [text for text in texts if text.isdigit()] == [str(number) for number in range(60)]


async def test_no_page_is_larger_than_it_may_be(query: Ask) -> None:
    async with serve({"modules": {"archive": {"max_page": 3, "page": 2}}}) as server:
        _, juliet = await talk(server, *"abcde")
        assert (await query(juliet)).texts == ["a", "b"]
        asked = await query(juliet, Set(max=10**30))
        assert (asked.texts, asked.fin.complete) == (["a", "b", "c"], False)
        ids = asked.ids + (await query(juliet, Set(max=3, after=asked.ids[-1]))).ids
        assert await refusal(query(juliet, ids=ids)) == "not-acceptable"


@pytest.mark.parametrize(("words", "queryid"), [("\N{SNOWMAN}" * 1_000, "q"), ("x", "&" * 5_000)])
async def test_no_page_is_more_than_may_wait_for_a_client(query: Ask, words: str, queryid: str) -> None:
    """Octets count, and what is around each message: else its connection would be cut, each time that it asks."""
    async with serve({"limits": {"send_buffer_bytes": 65_536, "burst_bytes": 100_000_000}}) as server:
        _, juliet = await talk(server, *(f"{number} {words}" for number in range(30)))
        found: list[str] = []
        page = Set(max=250)
        while True:
            answer = await query(juliet, page, queryid=queryid)
            assert len(found) < 30
            assert 1 <= len(answer.texts) <= 5
            assert {result.queryid for result in answer.results} == {queryid}
            found += answer.texts
            if answer.fin.complete:
                break
            page = Set(max=250, after=answer.fin.set.last)
        assert [text.split()[0] for text in found] == [str(number) for number in range(30)]


@pytest.mark.parametrize("before", [None, ""])
async def test_large_messages_make_short_pages(query: Ask, before: str | None) -> None:
    async with serve(UNHURRIED) as server:
        _, juliet = await talk(server, *(f"{number} {'x' * 240_000}" for number in range(6)))
        found: list[str] = []
        page = Set(before=before)
        while True:
            answer = await query(juliet, page)
            assert 1 <= len(answer.texts) <= 5
            found = answer.texts + found if before is not None else found + answer.texts
            if answer.fin.complete:
                break
            page = Set(before=answer.ids[0]) if before is not None else Set(after=answer.ids[-1])
        assert [text.split()[0] for text in found] == list("012345")


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 12), size=st.integers(1, 5), backwards=st.booleans(), flip=st.booleans(), peer=st.booleans()
)
async def test_page_by_page_it_is_the_whole_archive(
    query: Ask, count: int, size: int, backwards: bool, flip: bool, peer: bool
) -> None:
    words = [str(number) for number in range(count)]
    async with serve() as server:
        romeo, _ = await talk(server, *words)
        fields = {"with_": "juliet@localhost"} if peer else {}
        found: list[str] = []
        page = Set(max=size, before="") if backwards else Set(max=size)
        while True:
            answer = await query(romeo, page, flip=flip, **fields)
            texts = answer.texts[::-1] if flip else answer.texts
            found = texts + found if backwards else found + texts
            assert answer.fin.set.count == count
            if answer.fin.complete:
                break
            said = answer.fin.set
            page = Set(max=size, before=said.first.uid) if backwards else Set(max=size, after=said.last)
        assert found == words


async def test_everything_is_there_before_the_end_is_told() -> None:
    async with serve() as server:
        _, juliet = await talk(server, "one", "two")
        heard(juliet)
        juliet.send(Element("iq", CLIENT, Query("f27").to_element(), type="set", id="q1"))
        juliet.send(Element("iq", CLIENT, Query("f28").to_element(), type="set", id="q2"))
        kinds = []
        for _ in range(6):
            stanza = await juliet.receive()
            found = stanza.child("result", NS)
            kinds.append(stanza.get("id") if found is None else found.get("queryid"))
        assert kinds == ["f27", "f27", "q1", "f28", "f28", "q2"]


# -- refusals


@pytest.mark.parametrize(
    ("inside", "condition"),
    [
        ("<x xmlns='jabber:x:data' type='submit'><field var='with'><value>a@b</value></field></x>", "bad-request"),
        ("FORM<field var='with'><value>@@</value></field>", "bad-request"),
        ("FORM<field var='with'><value>a@b</value><value>c@d</value></field>", "bad-request"),
        ("FORM<field var='start'><value>yesterday</value></field>", "bad-request"),
        ("FORM<field var='end'><value>2010-02-30T00:00:00Z</value></field>", "bad-request"),
        ("FORM<field var='start'><value>2010-02-20T00:00:00</value></field>", "bad-request"),
        ("FORM<field var='with'><value>a@b</value></field><field var='with'><value>a@b</value></field>", "bad-request"),
        ("FORM<field var='ids'><value/></field>", "item-not-found"),
        (f"FORM<field var='ids'>{'<value>x</value>' * 4_900}</field>", "not-acceptable"),
        ("FORM<field var='include-groupchat'><value>perhaps</value></field>", "bad-request"),
        ("FORM<field var='colour'><value>red</value></field>", "feature-not-implemented"),
        ("<set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set>", "bad-request"),
        ("<set xmlns='http://jabber.org/protocol/rsm'><max>all</max></set>", "bad-request"),
        ("<set xmlns='http://jabber.org/protocol/rsm'><index>3</index></set>", "feature-not-implemented"),
    ],
)
async def test_nonsense_is_refused(inside: str, condition: str) -> None:
    if inside.startswith("FORM"):
        form = f"<field var='FORM_TYPE' type='hidden'><value>{NS}</value></field>{inside.removeprefix('FORM')}"
        inside = f"<x xmlns='jabber:x:data' type='submit'>{form}</x>"
    async with serve() as server:
        juliet = await server.client("juliet")
        juliet.send(f"<iq type='set' id='q'><query xmlns='{NS}'>{inside}</query></iq>")
        assert read_error(await juliet.receive()).condition == condition


async def test_empty_fields_say_nothing(query: Ask) -> None:
    async with serve() as server:
        _, juliet = await talk(server, "one")
        empty = dict.fromkeys(["with_", "start", "end", "after_id", "before_id"], "")
        assert (await query(juliet, **empty, include_groupchat=True)).texts == ["one"]
        assert (await query(juliet, Set(before="", after=""))).texts == ["one"]
        assert (await query(juliet, ids=[])).texts == [], "no ids are those of no message"


@pytest.mark.parametrize("whose", ["romeo@localhost", "nobody@localhost"])
@pytest.mark.parametrize(
    ("kind", "name"), [("set", "query"), ("get", "query"), ("get", "metadata"), ("get", "prefs"), ("set", "prefs")]
)
async def test_nobody_elses_archive(whose: str, kind: str, name: str) -> None:
    async with serve() as server:
        _, juliet = await talk(server, "one")
        answer = await juliet.ask(Element("iq", CLIENT, Element(name, NS), type=kind, to=whose))
        assert read_error(answer).condition == "forbidden"


async def test_the_archive_has_no_nodes(query: Ask) -> None:
    async with serve() as server:
        _, juliet = await talk(server)
        assert await refusal(query(juliet, node="fdp/submitted")) == "item-not-found"


# -- what there is to know


async def test_discovery_and_fields() -> None:
    async with serve() as server:
        _, juliet = await talk(server)
        answer = await juliet.ask(Element("iq", CLIENT, Info().to_element(), type="get", to="juliet@localhost"))
        assert answer.first is not None
        features = {feature.var for feature in Info.parse(answer.first).features}
        assert {
            NS,
            EXTENDED,
            GROUPCHAT_FIELD,
            "http://jabber.org/protocol/rsm",
            "urn:xmpp:sid:0",
            "urn:xmpp:message-retract:1",
        } <= features
        answer = await juliet.ask(Element("iq", CLIENT, Info().to_element(), type="get", to="localhost"))
        assert answer.first is not None
        assert Feature("urn:xmpp:message-retract:1") in Info.parse(answer.first).features
        answer = await juliet.ask(Element("iq", CLIENT, Query().to_element(), type="get"))
        assert answer.first is not None
        form = Query.parse(answer.first).form
        assert form is not None
        types = {field.var: field.type for field in form.fields}
        assert types["with"] == "jid-single"
        assert types["start"] == types["end"] == types["before-id"] == types["after-id"] == "text-single"
        ids = form.field("ids")
        assert ids is not None
        assert ids.type == "list-multi"
        assert not ids.options
        (validate,) = ids.extensions
        assert validate.child("open") is not None
        assert not any(field.required for field in form.fields)


async def test_metadata(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server)
        ask = Element("iq", CLIENT, Metadata().to_element(), type="get")
        answer = await juliet.ask(ask)
        assert answer.first is not None
        assert Metadata.parse(answer.first) == Metadata()
        for text in ("one", "two", "three"):
            say(romeo, text)
        await romeo.settle()
        answer = await juliet.ask(Element("iq", CLIENT, Metadata().to_element(), type="get"))
        assert answer.first is not None
        metadata = Metadata.parse(answer.first)
        found = await query(juliet)
        assert metadata.start is not None
        assert metadata.end is not None
        assert (metadata.start.id, metadata.end.id) == (found.ids[0], found.ids[-1])
        stamps = [result.forwarded.delay.stamp for result in found.results]
        assert (metadata.start.timestamp, metadata.end.timestamp) == (stamps[0], stamps[-1])


# -- words


async def test_searching_for_words(query: Ask) -> None:
    async with serve() as server:
        romeo, juliet = await talk(server, "Wherefore art thou?", "What man art thou", "Good night")
        field = "{urn:xmpp:fulltext:0}fulltext"
        assert (await query(juliet, **{field: "art thou"})).texts == ["Wherefore art thou?", "What man art thou"]
        first = await query(juliet, Set(max=1), **{field: "art thou"})
        assert (first.texts, first.fin.complete, first.fin.set.count) == (["Wherefore art thou?"], False, 2)
        assert (await query(juliet, Set(max=1, after=first.ids[0]), **{field: "thou"})).texts == ["What man art thou"]
        assert (await query(juliet, **{field: "NIGHT"}, with_="nurse@localhost")).texts == []
        say(romeo, "good morning")
        await romeo.settle()
        assert (await query(juliet, **{field: "good"})).texts == ["Good night", "good morning"]
        assert len((await query(juliet, **{field: " "})).texts) == 4


async def test_searching_can_be_switched_off(query: Ask) -> None:
    async with serve({"modules": {"archive": {"full_text": False}}}) as server:
        _, juliet = await talk(server, "one")
        search = query(juliet, **{"{urn:xmpp:fulltext:0}fulltext": "one"})
        assert await refusal(search) == "feature-not-implemented"
