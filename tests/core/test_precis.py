"""Preparing texts by PRECIS: what the library makes of them, at a cost that grows with their length only."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from chirrup.core import precis
from chirrup.core.errors import AddressError
from chirrup.core.jid import JID

_PROFILES = ("UsernameCaseMapped", "OpaqueString")
_TELLING = "0aAlɫα·͵ή׳״אبि・ーアｱﾞ漢\u0660\u0661\u06f0\u06f9\u200c\u200d\u094d\u0915\u0301\u0345ß\u1100 \u3000ﬁ\u0378"


def _by_the_library(profile: str, text: str) -> str | None:
    try:
        return str(get_profile(profile).enforce(text))
    except ValueError:
        return None


def _by_us(profile: str, text: str) -> str | None:
    try:
        return precis.prepare(profile, text)
    except ValueError:
        return None


@given(st.sampled_from(_PROFILES), st.text(st.sampled_from(_TELLING) | st.characters(exclude_categories=["Cs"])))
def test_it_is_what_the_library_makes_of_it(profile: str, text: str) -> None:
    assert _by_us(profile, text) == _by_the_library(profile, text)


@pytest.mark.parametrize("text", ["l·0l·l", "l·l・ア・l·・l", "٠٠۰", "۰a۰٠", "・・", "・a・", "・漢・"])
@pytest.mark.parametrize("profile", _PROFILES)
def test_characters_that_ask_for_others_may_stand_often(profile: str, text: str) -> None:
    assert _by_us(profile, text) == _by_the_library(profile, text)


def _calls(text: str) -> int:
    """How many calls it takes to parse an address."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        JID.parse(text)
    except AddressError:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("before", ["a@b.example/", ""])
@pytest.mark.parametrize("many", ["・", "٠", "é", "가", "\u0345\u0301"])
def test_a_long_address_costs_no_more_than_its_length(before: str, many: str) -> None:
    after = "ア" if before else "ア@b.example"
    _calls(before + many * 20 + after)  # what is imported, and known of characters
    short = _calls(before + many * 80 + after)
    assert _calls(before + many * 160 + after) < 3 * short


@pytest.mark.parametrize("label", ["・", "٠", "é", "xn--a"])
def test_a_label_that_is_too_long_is_refused_before_it_is_looked_at(label: str) -> None:
    _calls(f"a@{label}ア")
    text = f"a@{label * 100}ア"
    assert _calls(text) < 10 * len(text)
