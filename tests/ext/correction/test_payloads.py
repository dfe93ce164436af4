from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.correction.payloads import Replace


def test_a_correction() -> None:
    """XEP-0308 example 4."""
    text = "<replace xmlns='urn:xmpp:message-correct:0' id='bad1'/>"
    message = Element("message", CLIENT, parse_element(text), id="good1")
    assert Replace.find(message) == Replace("bad1")
    assert str(Replace("bad1").to_element()) == text
