from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.forwarding.payloads import Forwarded

FORWARDED = """<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
<message xmlns='jabber:client' from='juliet@capulet.lit/orchard' id='0202197' to='romeo@montague.lit' type='chat'>\
<body>Yet I should kill thee with much cherishing.</body>\
<mood xmlns='http://jabber.org/protocol/mood'><amorous/></mood></message></forwarded>"""


def test_a_forwarded_message() -> None:
    """XEP-0297 example 2."""
    forwarded = Forwarded.parse(parse_element(FORWARDED))
    assert forwarded.delay == Delay(datetime(2010, 7, 10, 23, 8, 25, tzinfo=UTC))
    assert forwarded.stanza.get("from") == "juliet@capulet.lit/orchard"
    assert forwarded.stanza.child_text("body") == "Yet I should kill thee with much cherishing."
    assert str(forwarded.to_element()) == FORWARDED


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<message/>",
        "<message xmlns='jabber:client'/><message xmlns='jabber:client'/>",
        "<a xmlns='jabber:client'/>",
    ],
)
def test_it_holds_one_stanza_in_its_own_namespace(inside: str) -> None:
    with pytest.raises(PayloadError, match="one message, presence or IQ"):
        Forwarded.parse(parse_element(f"<forwarded xmlns='urn:xmpp:forward:0'>{inside}</forwarded>"))


def test_the_namespace_of_the_stanza_is_written() -> None:
    forwarded = Forwarded(None, (Element("message", CLIENT, to="romeo@montague.lit"),)).to_element()
    around = Element("message", CLIENT, forwarded)
    assert "<message xmlns='jabber:client' to='romeo@montague.lit'/>" in around.to_bytes().decode()
