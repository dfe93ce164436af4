from __future__ import annotations

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.presence.server import read_priority


def presence(*priorities: str) -> Element:
    return Element("presence", CLIENT, *(Element("priority", CLIENT, text) for text in priorities))


def test_without_one_it_is_zero() -> None:
    assert read_priority(presence()) == 0


@pytest.mark.parametrize(
    ("text", "priority"), [("1", 1), ("-1", -1), ("+5", 5), ("-128", -128), ("127", 127), (" \n7\t", 7), ("007", 7)]
)
def test_it_is_an_integer_of_one_octet(text: str, priority: int) -> None:
    assert read_priority(presence(text)) == priority


@pytest.mark.parametrize("text", ["", " ", "128", "-129", "1.0", "1_0", "high", "٣", "1 1", "--1", "9" * 5000])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(StanzaError) as caught:
        read_priority(presence(text))
    assert caught.value.condition == "bad-request"


def test_two_are_refused() -> None:
    with pytest.raises(StanzaError):
        read_priority(presence("1", "1"))


def test_elements_in_it_are_refused() -> None:
    stanza = presence()
    stanza.c("priority", text="1").c("more")
    with pytest.raises(StanzaError):
        read_priority(stanza)


def test_a_priority_of_another_namespace_is_none_of_ours() -> None:
    assert read_priority(Element("presence", CLIENT, Element("priority", "urn:x", "900"))) == 0
