from __future__ import annotations

import pytest

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.delay import NS as DELAY
from chirrup.ext.offline.rules import Fate, fate, handed_over
from chirrup.store.message_rows import Message

HOST = JID("capulet.com")
JULIET = JID("juliet@capulet.com")
NOON = 1_700_049_600_000_000  # 2023-11-15T12:00:00Z

COMPOSING = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
BODY = "<body>O blessed, blessed night!</body>"
RECEIPT = "<received xmlns='urn:xmpp:receipts' id='1'/>"


def hint(name: str) -> str:
    return f"<{name} xmlns='urn:xmpp:hints'/>"


def message(inside: str = BODY, kind: str = "") -> Element:
    attribute = f" type='{kind}'" if kind else ""
    return parse_element(f"<message xmlns='jabber:client'{attribute}>{inside}</message>")


@pytest.mark.parametrize(
    ("kind", "inside", "expected"),
    [
        ("", BODY, Fate.KEEP),
        ("normal", BODY, Fate.KEEP),
        ("chat", BODY, Fate.KEEP),
        ("chat", RECEIPT, Fate.KEEP),
        ("chat", "", Fate.KEEP),
        ("groupchat", BODY, Fate.REFUSE),
        ("groupchat", BODY + hint("store"), Fate.REFUSE),
        ("headline", BODY, Fate.DROP),
        ("error", BODY, Fate.DROP),
        ("chat", COMPOSING, Fate.DROP),
        ("chat", COMPOSING + "<thread>t</thread>", Fate.DROP),
        ("chat", COMPOSING + "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", Fate.DROP),
        ("chat", COMPOSING + hint("no-store"), Fate.DROP),
        ("chat", COMPOSING + "<private xmlns='urn:xmpp:carbons:2'/>", Fate.DROP),
        ("chat", COMPOSING + BODY, Fate.KEEP),
        ("chat", COMPOSING + RECEIPT, Fate.KEEP),
        ("chat", COMPOSING + hint("store"), Fate.KEEP),
        ("normal", COMPOSING, Fate.KEEP),
        ("chat", BODY + hint("no-store"), Fate.REFUSE),
        ("", BODY + hint("no-store"), Fate.REFUSE),
        ("chat", BODY + hint("store") + hint("no-store"), Fate.REFUSE),
        ("chat", BODY + hint("no-permanent-store"), Fate.KEEP),
        ("chat", BODY + hint("no-copy"), Fate.KEEP),
    ],
)
def test_fate(kind: str, inside: str, expected: Fate) -> None:
    assert fate(message(inside, kind)) is expected


def delivered(inside: str = BODY, *, archived: bool = False, number: int = NOON) -> Element:
    stored = Message(number, "romeo@montague.net", "", message(inside).to_bytes().decode(), archived, True)
    written = handed_over(stored, JULIET, HOST, "uid")
    return parse_element(written.decode().replace("<message", "<message xmlns='jabber:client'", 1))


def delays(stanza: Element) -> list[Element]:
    return list(stanza.elements("delay", DELAY))


@pytest.mark.parametrize("inside", [BODY, "", "<body>\N{SNOWMAN} &lt;/message&gt;</body>"])
def test_the_host_stamps(inside: str) -> None:
    stanza = delivered(inside)
    (delay,) = delays(stanza)
    assert delay.attrs == {"stamp": "2023-11-15T12:00:00Z", "from": "capulet.com"}
    assert stanza.child_text("body") == message(inside).child_text("body")


def test_the_stamp_is_the_id() -> None:
    (delay,) = delays(delivered(number=NOON + 123_456))
    assert delay.get("stamp") == "2023-11-15T12:00:00.123456Z"


@pytest.mark.parametrize("source", ["from='montague.net'", "", "from='@'"])
def test_an_earlier_stamp_stays_alone(source: str) -> None:
    earlier = f"<delay xmlns='{DELAY}' {source} stamp='2002-09-10T23:08:25Z'/>"
    (delay,) = delays(delivered(BODY + earlier))
    assert delay.get("stamp") == "2002-09-10T23:08:25Z"


@pytest.mark.parametrize("source", ["capulet.com", "CAPULET.com"])
def test_a_stamp_in_the_hosts_name_is_forged(source: str) -> None:
    forged = f"<delay xmlns='{DELAY}' from='{source}' stamp='2002-09-10T23:08:25Z'/>"
    (delay,) = delays(delivered(forged + BODY))
    assert delay.get("stamp") == "2023-11-15T12:00:00Z"


def test_what_is_archived_has_its_id() -> None:
    assert delivered().child("stanza-id", "urn:xmpp:sid:0") is None
    found = delivered(archived=True).child("stanza-id", "urn:xmpp:sid:0")
    assert found is not None
    assert found.attrs == {"id": "uid", "by": "juliet@capulet.com"}
