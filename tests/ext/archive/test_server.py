from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.values import format_datetime, parse_datetime, parse_element
from chirrup.core.xml import CLIENT, XML_LANG, Element
from chirrup.ext.archive import EXTENDED, GROUPCHAT_FIELD, NS
from chirrup.ext.archive.payloads import Fin, Metadata, Preferences, Query, Result
from chirrup.ext.disco.payloads import Info
from chirrup.ext.forms.payloads import Form, Value
from chirrup.ext.rsm.payloads import Set
from chirrup.ext.stanza_ids.rules import stanza_id_by
from chirrup.testing import FakeClock, TestClient, TestServer, serve

UNHURRIED = {"limits": {"burst_bytes": 100_000_000}}


def say(client: TestClient, text: str, to: str = "juliet@localhost", inside: str = "", *, kind: str = "chat") -> None:
    client.send(f"<message to='{to}' type='{kind}' id='m'><body>{text}</body>{inside}</message>")


def asks(
    set_: Set | None = None, *, flip: bool = False, queryid: str | None = None, **fields: Value | list[str]
) -> Query:
    """A query; fields with a hyphen are given with an underscore."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in fields.items()}
    form = Form.of("submit", NS, named) if fields else None  # type: ignore[arg-type]
    return Query(queryid, form=form, set=set_, flip_page=flip)


class Answer:
    """What a query brought."""

    def __init__(self, results: list[Result], fin: Fin) -> None:
        self.results = results
        self.fin = fin
        self.ids = [result.id for result in results]
        self.messages = [result.forwarded.stanza for result in results]
        self.texts = [message.child_text("body") for message in self.messages]


async def query(client: TestClient, asked: Query | None = None) -> Answer:
    before = len(client.received)
    answer = await client.ask(iq("set", (asked or Query()).to_element()))
    if answer.get("type") == "error":
        raise read_error(answer)
    taken = [client.received.pop() for _ in range(len(client.received) - before)][::-1]
    results = [Result.parse(one) for stanza in taken if (one := stanza.child("result", NS)) is not None]
    for other in taken:
        if other.child("result", NS) is None:
            client.received.append(other)
    fin = answer.first
    assert fin is not None
    return Answer(results, Fin.parse(fin))


def iq(kind: str, payload: Element, to: str | None = None) -> Element:
    return Element("iq", CLIENT, payload, type=kind, to=to)


async def talk(server: TestServer, *words: str) -> tuple[TestClient, TestClient]:
    """Romeo and Juliet, after he has said that to her."""
    juliet = await server.client("juliet@localhost/balcony", presence=True)
    romeo = await server.client("romeo@localhost/orchard", presence=True)
    for text in words:
        say(romeo, text)
    await romeo.settle()
    await juliet.settle()
    return romeo, juliet


def heard(client: TestClient) -> list[Element]:
    found = [stanza for stanza in client.received if stanza.name == "message"]
    client.received.clear()
    return found


async def test_both_ends_find_what_was_said() -> None:
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
        assert hers.fin.complete
        assert hers.fin.set is not None
        assert hers.fin.set.first is not None
        assert (hers.fin.set.first.uid, hers.fin.set.first.index, hers.fin.set.last, hers.fin.set.count) == (
            hers.ids[0], 0, hers.ids[2], 3,
        )  # fmt: skip
