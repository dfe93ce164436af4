from __future__ import annotations

from chirrup.ext.registration import pace as module
from chirrup.ext.registration.pace import Pace


def test_so_many_within_the_window_and_no_more():
    pace = Pace(2, 60.0)
    assert [pace.take("a", now) for now in (0.0, 1.0, 2.0, 59.9)] == [True, True, False, False]


def test_what_was_refused_does_not_count():
    pace = Pace(1, 60.0)
    assert pace.take("a", 0.0)
    assert not pace.take("a", 59.0)
    assert pace.take("a", 60.0)


def test_each_has_its_own_count():
    pace = Pace(1, 60.0)
    assert pace.take("a", 0.0)
    assert pace.take("b", 0.0)


def test_what_came_to_nothing_can_be_given_back():
    pace = Pace(1, 60.0)
    assert pace.take("a", 0.0)
    pace.give_back("a")
    assert pace.take("a", 0.0)
    pace.give_back("nobody")


def test_those_who_were_idle_longest_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(module, "_MAX_TRACKED", 2)
    pace = Pace(1, 60.0)
    for who in ("a", "b"):
        assert pace.take(who, 0.0)
    assert not pace.take("a", 1.0)
    assert pace.take("c", 2.0)
    assert not pace.take("a", 3.0)
    assert pace.take("b", 4.0)
