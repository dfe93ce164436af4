from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.nickname.payloads import Nickname


def test_a_nickname() -> None:
    element = parse_element("<nick xmlns='http://jabber.org/protocol/nick'>Ishmael</nick>")
    assert Nickname.parse(element) == Nickname("Ishmael")
    assert Nickname("Ishmael").to_element() == element
    assert Nickname.parse(Nickname().to_element()) == Nickname()
