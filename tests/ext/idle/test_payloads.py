from __future__ import annotations

from datetime import UTC, datetime

from chirrup.core.values import parse_element
from chirrup.ext.idle.payloads import Idle


def test_the_last_interaction() -> None:
    """XEP-0319 example 1."""
    presence = parse_element(
        "<presence xmlns='jabber:client'><show>away</show><idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>"
        "</presence>"
    )
    idle = Idle(datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC))
    assert Idle.find(presence) == idle
    assert str(idle.to_element()) == "<idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>"
