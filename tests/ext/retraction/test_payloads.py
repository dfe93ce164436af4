from __future__ import annotations

from datetime import UTC, datetime

from chirrup.core.values import parse_element
from chirrup.ext.retraction.payloads import Retract, Retracted


def test_a_retraction() -> None:
    """XEP-0424 example 4."""
    text = "<retract xmlns='urn:xmpp:message-retract:1' id='wrong-recipient-1'/>"
    assert Retract.parse(parse_element(text)) == Retract("wrong-recipient-1")
    assert str(Retract("wrong-recipient-1").to_element()) == text


def test_a_tombstone() -> None:
    """XEP-0424 example 7."""
    element = parse_element(
        "<retracted stamp='2019-09-20T23:09:32Z' xmlns='urn:xmpp:message-retract:1' id='retract-message-1'/>"
    )
    tombstone = Retracted("retract-message-1", datetime(2019, 9, 20, 23, 9, 32, tzinfo=UTC))
    assert Retracted.parse(element) == tombstone
    assert tombstone.to_element() == element
