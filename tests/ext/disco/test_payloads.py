from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.disco import INFO, ITEMS
from chirrup.ext.disco.payloads import Feature, Identity, Info, Item, Items


def test_info_as_in_the_specification() -> None:
    written = (
        f"<query xmlns='{INFO}'><identity category='conference' type='text' name='Play-Specific Chatrooms'/>"
        "<feature var='http://jabber.org/protocol/muc'/><feature var='jabber:iq:search'/></query>"
    )
    info = Info.parse(parse_element(written))
    assert info == Info(
        None,
        (Identity("conference", "text", "Play-Specific Chatrooms"),),
        (Feature("http://jabber.org/protocol/muc"), Feature("jabber:iq:search")),
    )
    assert info.to_element() == parse_element(written)


def test_forms_are_kept_as_they_are() -> None:
    form = Element("x", "jabber:x:data", type="result")
    info = Info(None, (), (), (form,))
    assert Info.parse(info.to_element()).forms == (form,)


def test_items_as_in_the_specification() -> None:
    written = f"<query xmlns='{ITEMS}' node='music'><item jid='catalog.shakespeare.lit' node='music/A'/></query>"
    items = Items.parse(parse_element(written))
    assert items == Items("music", (Item(JID("catalog.shakespeare.lit"), node="music/A"),))
    assert items.to_element() == parse_element(written)


@pytest.mark.parametrize("inside", ["<identity type='im'/>", "<identity category='server'/>", "<feature/>"])
def test_info_that_lacks_something(inside: str) -> None:
    with pytest.raises(PayloadError):
        Info.parse(parse_element(f"<query xmlns='{INFO}'>{inside}</query>"))


def test_an_item_needs_an_address() -> None:
    with pytest.raises(PayloadError):
        Items.parse(parse_element(f"<query xmlns='{ITEMS}'><item node='x'/></query>"))
