"""Both commands beside a server that runs: it goes on, and knows what was imported."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import serve

PIE = "urn:xmpp:pie:0"
CARD = "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>"
ROSTER = "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.net' subscription='both'/></query>"


def get(payload: str) -> Element:
    return Element("iq", CLIENT, parse_element(payload), type="get")


async def test_sessions_begin_again_with_what_was_imported(elsewhere: Path, chirrup: Any) -> None:
    (elsewhere / "chirrup.toml").write_text('data = "data"\n')
    source = elsewhere / "in.xml"
    users = f"<user name='juliet'>{CARD}{ROSTER}</user><user name='nurse' password='secret'>{CARD}</user>"
    source.write_text(f"<server-data xmlns='{PIE}'><host jid='localhost'>{users}</host></server-data>")
    async with serve(data=elsewhere / "data") as server:
        juliet = await server.client("juliet", presence=True)
        assert (await asyncio.to_thread(chirrup, "import", "in.xml")).status == 0
        ended = await juliet.end()
        assert ended is not None and ended.condition == "reset"
        for name in ("juliet", "nurse"):
            client = await server.client(name)
            found = await client.ask(get("<vCard xmlns='vcard-temp'/>"))
            assert found.first == parse_element(CARD)
        juliet = await server.client("juliet")
        roster = await juliet.ask(get("<query xmlns='jabber:iq:roster'/>"))
        assert [item.get("jid") for item in roster.first.elements()] == ["romeo@montague.net"]
        ran = await asyncio.to_thread(chirrup, "export", "out.xml")
        assert ran.status == 0 and "2 accounts" in ran.err
