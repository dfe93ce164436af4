from __future__ import annotations

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.fallback.payloads import BodyRegion, Fallback, SubjectRegion, without_fallback

REPLY = "urn:xmpp:reply:0"
BODY = "> Anna wrote:\n> Hi, how are you?\nGreat"


def test_a_part_of_the_body() -> None:
    """XEP-0428 example 1."""
    text = f"<fallback xmlns='urn:xmpp:fallback:0' for='{REPLY}'><body start='0' end='33'/></fallback>"
    fallback = Fallback(REPLY, (BodyRegion(0, 33),))
    assert Fallback.parse(parse_element(text)) == fallback
    assert str(fallback.to_element()) == text
    assert without_fallback(BODY, (fallback,), frozenset({REPLY})) == "Great"
    assert without_fallback(BODY, (fallback,), frozenset()) == BODY


@pytest.mark.parametrize(
    ("fallback", "left"),
    [
        (Fallback(REPLY), ""),
        (Fallback(REPLY, (BodyRegion(),)), ""),
        (Fallback(REPLY, (), (SubjectRegion(),)), "0123456789"),
        (Fallback(REPLY, (BodyRegion(4),)), "0123"),
        (Fallback(REPLY, (BodyRegion(None, 4),)), "456789"),
        (Fallback(REPLY, (BodyRegion(6, 8), BodyRegion(1, 3))), "034589"),
        (Fallback(REPLY, (BodyRegion(1, 5), BodyRegion(3, 8))), "089"),
        (Fallback(REPLY, (BodyRegion(-5, 2),)), "23456789"),
        (Fallback(REPLY, (BodyRegion(8, 2000),)), "01234567"),
        (Fallback(REPLY, (BodyRegion(5, 2),)), "0123456789"),
        (Fallback(REPLY, (BodyRegion(99),)), "0123456789"),
    ],
)
def test_what_is_left_of_a_body(fallback: Fallback, left: str) -> None:
    assert without_fallback("0123456789", (fallback,), frozenset({REPLY})) == left


def test_code_points_are_counted() -> None:
    fallback = Fallback(REPLY, (BodyRegion(0, 2),))
    assert without_fallback("🐢👋hi", (fallback,), frozenset({REPLY})) == "hi"
