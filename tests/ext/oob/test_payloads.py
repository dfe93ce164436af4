from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.oob.payloads import Link, Transfer

URL = "http://www.jabber.org/images/psa-license.jpg"


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        (
            f"<query xmlns='jabber:iq:oob' sid='a0'><url>{URL}</url><desc>A license to Jabber!</desc></query>",
            Transfer(URL, "A license to Jabber!", sid="a0"),
        ),
        (f"<query xmlns='jabber:iq:oob'><url>{URL}</url></query>", Transfer(URL)),
        (f"<x xmlns='jabber:x:oob'><url>{URL}</url></x>", Link(URL)),
        (f"<x xmlns='jabber:x:oob'><url>{URL}</url><desc>A license</desc></x>", Link(URL, "A license")),
    ],
)
def test_both_forms(text, payload):
    assert type(payload).parse(parse_element(text)) == payload
    assert str(payload.to_element()) == text


@pytest.mark.parametrize("payload", [Transfer, Link])
def test_a_url_is_needed(payload):
    with pytest.raises(PayloadError, match="lacks the child <url/>"):
        payload.parse(Element(payload.NAME, payload.NS))
