from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.attention.payloads import Attention


def test_a_call_for_attention() -> None:
    """XEP-0224 example 2."""
    message = parse_element(
        "<message xmlns='jabber:client' type='headline'><attention xmlns='urn:xmpp:attention:0'/></message>"
    )
    assert Attention.find(message) == Attention()
    assert str(Attention().to_element()) == "<attention xmlns='urn:xmpp:attention:0'/>"
