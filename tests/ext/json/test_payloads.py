from __future__ import annotations

from typing import Any

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.values import parse_element
from chirrup.ext.json.payloads import JsonContainer


@pytest.mark.parametrize("value", [None, True, 1.5, "Grüße", [], {"name": "Romeo", "friends": ["Juliet", 7]}])
def test_values_come_back(value: Any) -> None:
    element = parse_element(str(JsonContainer.of(value).to_element()))
    assert JsonContainer.parse(element).value == value


def test_the_example() -> None:
    """XEP-0335 §3."""
    element = parse_element("""<json xmlns="urn:xmpp:json:0">{ "name": "romeo", "iq": 120 }</json>""")
    assert JsonContainer.parse(element).value == {"name": "romeo", "iq": 120}


@pytest.mark.parametrize("text", ["", "{", "NaN", "[" * 100_000, "1" * 10_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(PayloadError):
        _ = JsonContainer(text).value


def test_what_json_can_not_say() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        JsonContainer.of(float("inf"))
