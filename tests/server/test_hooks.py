"""The order of handlers at one hook."""

from __future__ import annotations

import pytest

from chirrup.core.errors import ChirrupError
from chirrup.server import hooks
from chirrup.server.hooks import Placement, compile_order, side_by_side

HOOK = hooks.message_in


def order(**wishes: str) -> str:
    """The handlers of modules given as `a=">c <b"`: a wants to come after c and before b."""
    return "".join(compile_order(HOOK, handlers(**wishes)))


def handlers(**wishes: str) -> list[tuple[str, Placement, str]]:
    made = []
    for name, wish in wishes.items():
        after = tuple(word[1:] for word in wish.split() if word[0] == ">")
        before = tuple(word[1:] for word in wish.split() if word[0] == "<")
        made.append((name, Placement(HOOK, before, after), name))
    return made


def test_without_wishes_the_order_is_the_one_given():
    assert order(c="", a="", b="") == "cab"


def test_wishes_are_kept():
    assert order(a=">b", b="") == "ba"
    assert order(a="", b="<a") == "ba"
    assert order(a=">c", b=">a", c="") == "cab"


def test_who_wishes_nothing_stays_where_it_is():
    assert order(a="", b=">a", c="") == "abc"
    assert order(a=">c", b="", c="") == "bca"


def test_wishes_about_modules_that_are_not_there_mean_nothing():
    assert order(a=">x <y", b="") == "ab"


def test_a_module_may_handle_a_hook_twice():
    placements = [Placement(HOOK, (), ("b",)), Placement(HOOK, (), ())]
    handlers = [("a", placements[0], "1"), ("a", placements[1], "2"), ("b", placements[1], "3")]
    assert compile_order(HOOK, handlers) == ("3", "1", "2")


def test_wishes_that_contradict_each_other_are_named():
    with pytest.raises(ChirrupError, match=r"hooks\.message_in: modules want to stand before one another: .*a.*b"):
        order(a="<b", b="<a")


def test_who_waits_for_nobody_goes_beside_the_others():
    assert side_by_side(HOOK, handlers(a="", b="", c=">a", d=">x", e="<a", f=">c")) == [
        ["b", "d", "e"],
        ["a"],
        ["c"],
        ["f"],
    ]
    assert side_by_side(HOOK, []) == []


def test_every_hook_says_what_it_is_for():
    assert len({hook.name for hook in hooks.EVERY}) == len(hooks.EVERY) > 10
    for hook in hooks.EVERY:
        assert getattr(hooks, hook.name) is hook
        assert hook.purpose
