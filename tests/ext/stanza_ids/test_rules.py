from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.stanza_ids import NS
from chirrup.ext.stanza_ids.payloads import OriginId, ReferencedStanza, StanzaId
from chirrup.ext.stanza_ids.rules import add_stanza_id, stanza_id_by, strip_ids_by

JULIET = JID("juliet@capulet.lit")


def message(*by: str) -> Element:
    ids = "".join(f"<stanza-id xmlns='{NS}' id='{number}' by='{jid}'/>" for number, jid in enumerate(by))
    origin = f"<origin-id xmlns='{NS}' id='o'/>"
    return parse_element(f"<message xmlns='jabber:client'>words<body>hi</body>{ids}{origin}</message>")


def ids(stanza: Element) -> list[str]:
    return [child.get("id") for child in stanza.elements("stanza-id", NS)]


def test_an_id_is_added_and_found() -> None:
    stanza = message("room@muc.example.com")
    assert stanza_id_by(stanza, JULIET) == ""
    add_stanza_id(stanza, "28482-98726-73623", JULIET)
    assert stanza_id_by(stanza, JULIET) == "28482-98726-73623"
    assert stanza_id_by(stanza, JID("room@muc.example.com")) == "0"


def test_what_a_domain_has_not_given_is_taken_away() -> None:
    stanza = message("juliet@capulet.lit", "room@muc.capulet.lit", "CAPULET.lit", "nurse@capulet.lit/x", "@@", "")
    strip_ids_by(stanza, "capulet.lit")
    assert ids(stanza) == ["1", "4", "5"]
    assert stanza.child("origin-id", NS) is not None
    assert stanza.text == "words"


def test_others_are_left_as_they_are() -> None:
    stanza = message("room@muc.example.com")
    children = stanza.children
    strip_ids_by(stanza, "capulet.lit")
    assert stanza.children is children or stanza.children == children


def test_payloads() -> None:
    stanza = message("room@muc.example.com")
    assert StanzaId.find(stanza) == StanzaId("0", JID("room@muc.example.com"))
    assert OriginId.find(stanza) == OriginId("o")
    reference = ReferencedStanza("1", JULIET)
    assert ReferencedStanza.parse(reference.to_element()) == reference
    with pytest.raises(PayloadError):
        StanzaId.parse(Element("stanza-id", NS, id="1"))
