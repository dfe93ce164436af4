from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.ext.blocking import SPAM
from chirrup.ext.blocking.payloads import Block, Item, Report, Text, Unblock

REPORT = """<block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>\
<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
<text xml:lang='en'>Never came trouble to my house like this.</text><report-origin/><third-party/>\
<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@example.net' id='28482-98726-73623'/></report></item></block>"""


def test_a_report() -> None:
    """XEP-0377 examples 4 and 6."""
    (item,) = Block.parse(parse_element(REPORT)).items
    report = item.report
    assert item.jid == JID("romeo@example.net")
    assert report is not None
    assert report.reason == SPAM
    assert report.texts == (Text("Never came trouble to my house like this.", "en"),)
    assert report.report_origin
    assert report.third_party
    assert [element.get("id") for element in report.evidence] == ["28482-98726-73623"]
    assert str(Block((item,)).to_element()) == REPORT


def test_a_report_without_a_reason_says_none() -> None:
    assert Report.parse(parse_element(f"<report xmlns='{Report.NS}'/>")).reason == ""


def test_what_is_blocked_is_an_address() -> None:
    with pytest.raises(PayloadError, match="jid"):
        Item.parse(parse_element("<item xmlns='urn:xmpp:blocking' jid='@'/>"))
    assert Unblock.parse(parse_element("<unblock xmlns='urn:xmpp:blocking'/>")) == Unblock()
