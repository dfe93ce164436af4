from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import StanzaError
from chirrup.ext.rsm.pages import Wanted, cut, told, wanted
from chirrup.ext.rsm.payloads import First, Set

LETTERS = "abcdefgh"


def page(request: Set | None, *, largest: int = 100) -> tuple[str, Set]:
    items, said = cut(LETTERS, str, wanted(request, largest=largest))
    return "".join(items), said


@pytest.mark.parametrize(
    ("request_", "items", "index"),
    [
        (Set(max=3), "abc", 0),
        (Set(max=3, after="c"), "def", 3),
        (Set(max=3, after="g"), "h", 7),
        (Set(max=3, before=""), "fgh", 5),
        (Set(max=3, before="f"), "cde", 2),
        (Set(max=3, before="b"), "a", 0),
        (Set(max=3, index=4), "efg", 4),
        (Set(max=2, after="b", before="g"), "ef", 4),
        (Set(), "abcdefgh", 0),
        (None, "abcdefgh", 0),
    ],
)
def test_pages(request_: Set | None, items: str, index: int) -> None:
    assert page(request_) == (items, Set(first=First(items[0], index), last=items[-1], count=8))


@pytest.mark.parametrize("request_", [Set(max=0), Set(max=3, after="h"), Set(max=3, before="a"), Set(index=8)])
def test_an_empty_page_tells_the_count(request_: Set) -> None:
    assert page(request_) == ("", Set(count=8))


def test_no_page_is_larger_than_it_may_be() -> None:
    assert page(Set(max=1000), largest=2)[0] == "ab"
    assert page(None, largest=2)[0] == "ab"


def test_without_a_size_it_is_the_usual_one() -> None:
    assert wanted(Set(), largest=100, default=20) == wanted(None, largest=100, default=20) == Wanted(20)


@pytest.mark.parametrize("request_", [Set(after="x"), Set(before="x")])
def test_an_item_that_is_gone(request_: Set) -> None:
    with pytest.raises(StanzaError) as caught:
        page(request_)
    assert caught.value.condition == "item-not-found"


@pytest.mark.parametrize("request_", [Set(index=1, after="a"), Set(index=1, before="")])
def test_an_index_stands_alone(request_: Set) -> None:
    with pytest.raises(StanzaError) as caught:
        wanted(request_, largest=10)
    assert caught.value.condition == "bad-request"


def test_what_is_told_without_numbers() -> None:
    assert told(["a", "b"]) == Set(first=First("a"), last="b")


@given(st.lists(st.integers(), unique=True), st.integers(1, 5), st.booleans())
def test_page_by_page_it_is_the_whole(numbers: list[int], size: int, backwards: bool) -> None:
    items = [str(number) for number in numbers]
    found: list[str] = []
    request = Set(max=size, before="") if backwards else Set(max=size)
    while True:
        got, said = cut(items, str, wanted(request, largest=100))
        assert said.count == len(items)
        if not got:
            break
        assert said.first is not None
        if backwards:
            found[:0] = got
            request = Set(max=size, before=said.first.uid)
        else:
            found += got
            request = Set(max=size, after=said.last)
    assert found == items


def test_an_index_beyond_all_bounds() -> None:
    assert wanted(Set(max=3, index=10**30), largest=100).index == 2**31 - 1
