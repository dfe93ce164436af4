from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.carbons.payloads import Enable, Private, Received, Sent

INNER = "<message xmlns='jabber:client' to='juliet@capulet.example/balcony'><body>Neither, fair saint</body></message>"


@pytest.mark.parametrize("payload", [Sent, Received])
def test_a_copy(payload: type[Sent | Received]) -> None:
    """XEP-0280 examples 10 and 13."""
    text = (
        f"<{payload.NAME} xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{INNER}</forwarded>"
        f"</{payload.NAME}>"
    )
    copy = payload.parse(parse_element(text))
    assert copy.forwarded.stanza.child_text("body") == "Neither, fair saint"
    assert str(copy.to_element()) == text


def test_a_copy_is_of_something() -> None:
    with pytest.raises(PayloadError, match="forwarded"):
        Sent.parse(parse_element("<sent xmlns='urn:xmpp:carbons:2'/>"))


def test_empty_ones() -> None:
    assert str(Enable().to_element()) == "<enable xmlns='urn:xmpp:carbons:2'/>"
    assert str(Private().to_element()) == "<private xmlns='urn:xmpp:carbons:2'/>"
