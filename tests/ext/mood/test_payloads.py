from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.mood.payloads import Mood

NS = "http://jabber.org/protocol/mood"


def test_the_example_of_xep_0107() -> None:
    element = parse_element(f"<mood xmlns='{NS}'><happy/><text>Yay, the mood spec has been approved!</text></mood>")
    mood = Mood.parse(element)
    assert (mood.value, mood.text) == ("happy", "Yay, the mood spec has been approved!")
    assert Mood.parse(Mood.of("happy", mood.text).to_element()) == mood


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        ("", ""),
        ("<unheard_of/>", "undefined"),
        ("<happy><ecstatic xmlns='https://example.com/'/></happy>", "happy"),
        ("<text>so so</text>", ""),
    ],
)
def test_moods_of_other_kinds(inside: str, value: str) -> None:
    assert Mood.parse(parse_element(f"<mood xmlns='{NS}'>{inside}</mood>")).value == value


def test_a_mood_that_is_not_defined() -> None:
    with pytest.raises(PayloadError, match="peckish"):
        Mood.of("peckish")
