from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.delay.payloads import Delay

STAMP = datetime(2002, 9, 10, 23, 8, 25, tzinfo=UTC)


def test_a_message_sent_while_offline():
    """XEP-0203 example 1."""
    message = Element(
        "message",
        CLIENT,
        Element("body", CLIENT, "O blessed, blessed night!"),
        parse_element(
            "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'>Offline Storage</delay>"
        ),
    )
    assert Delay.find(message) == Delay(STAMP, JID("capulet.com"), "Offline Storage")


def test_a_delay_is_written_in_utc_and_without_what_it_lacks():
    assert str(Delay(STAMP).to_element()) == "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"
    assert Delay(STAMP, JID("capulet.com")).to_json() == {"stamp": "2002-09-10T23:08:25Z", "from": "capulet.com"}


@pytest.mark.parametrize("stamp", [None, "", "20020910T23:08:25", "yesterday"])
def test_a_delay_without_a_moment_is_none(stamp):
    with pytest.raises(PayloadError, match="stamp"):
        Delay.parse(Element("delay", "urn:xmpp:delay", stamp=stamp))
