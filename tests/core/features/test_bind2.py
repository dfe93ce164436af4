"""The elements of Bind 2 (XEP-0386), by its own examples; how they travel is tested with `sasl2`."""

from __future__ import annotations

from chirrup.core.features import bind2
from chirrup.core.values import parse_element
from chirrup.core.xml import Element

CARBONS, CSI, SM = "urn:xmpp:carbons:2", "urn:xmpp:csi:0", "urn:xmpp:sm:3"
OFFER = """<bind xmlns='urn:xmpp:bind:0'><inline><feature var="urn:xmpp:carbons:2"/><feature var="urn:xmpp:csi:0"/>
<feature var="urn:xmpp:sm:3"/></inline></bind>"""
WISH = """<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag><enable xmlns='urn:xmpp:carbons:2'/>
<enable xmlns='urn:xmpp:sm:3'/><inactive xmlns='urn:xmpp:csi:0'/></bind>"""
FEATURES = (Element("enable", CARBONS), Element("enable", SM), Element("inactive", CSI))


def test_the_offer():
    assert bind2.read_offer(parse_element(OFFER)) == {CARBONS, CSI, SM}
    assert bind2.read_offer(bind2.offer((CARBONS, CSI))) == {CARBONS, CSI}
    assert bind2.offer(()) == Element("bind", bind2.NS) and bind2.read_offer(bind2.offer(())) == frozenset()


def test_a_wish():
    assert bind2.read_wish(parse_element(WISH)) == bind2.BindWish("AwesomeXMPP", FEATURES)
    assert bind2.read_wish(bind2.wish("AwesomeXMPP", FEATURES)) == bind2.BindWish("AwesomeXMPP", FEATURES)
    assert bind2.read_wish(bind2.wish("", ())) == bind2.BindWish()


def test_a_wish_with_more_than_anybody_has():
    many = [Element("enable", f"urn:example:{number}") for number in range(1000)]
    assert len(bind2.read_wish(bind2.wish("", many)).features) == bind2.MAX_WISHES


def test_the_result():
    metadata = Element("metadata", "urn:xmpp:mam:2")
    assert bind2.bound((metadata,)) == Element("bound", bind2.NS, metadata)
