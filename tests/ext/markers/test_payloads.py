from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.markers.payloads import Displayed, Markable


def test_a_mark() -> None:
    """XEP-0333 examples 3 and 4."""
    assert Markable.parse(parse_element("<markable xmlns='urn:xmpp:chat-markers:0'/>")) == Markable()
    text = "<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>"
    assert Displayed.parse(parse_element(text)) == Displayed("the-msg-1")
    assert str(Displayed("the-msg-1").to_element()) == text
