"""The clock that stands still."""

from __future__ import annotations

import asyncio

from chirrup.net.clock import sleep
from chirrup.testing import FakeClock


def test_time_stands_still_until_it_is_moved():
    clock = FakeClock(1000.0)
    assert (clock.time(), clock.monotonic()) == (1000.0, 1000.0)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1002.5, 1002.5)


def test_timers_run_in_the_order_in_which_they_fall_due():
    clock, ran = FakeClock(0.0), []
    clock.call_later(3, lambda: ran.append(("late", clock.time())))
    clock.call_later(1, lambda: ran.append(("soon", clock.time())))
    clock.call_later(1, lambda: ran.append(("as soon, but asked later", clock.time())))
    clock.advance(2)
    assert ran == [("soon", 1.0), ("as soon, but asked later", 1.0)]
    clock.advance(1)
    assert ran[2:] == [("late", 3.0)]


def test_a_timer_that_a_timer_starts_runs_in_the_same_leap():
    clock, ran = FakeClock(0.0), []
    clock.call_later(1, lambda: clock.call_later(1, lambda: ran.append(clock.time())))
    clock.advance(5)
    assert ran == [2.0]
    assert clock.time() == 5.0


def test_a_cancelled_timer_does_not_run():
    clock, ran = FakeClock(), []
    timer = clock.call_later(1, lambda: ran.append("ran"))
    assert clock.waiting == 1
    timer.cancel()
    assert clock.waiting == 0
    clock.advance(2)
    assert ran == []


async def test_who_sleeps_wakes_when_the_time_has_come():
    clock = FakeClock()
    sleeper = asyncio.ensure_future(sleep(clock, 10))
    await asyncio.sleep(0)
    clock.advance(9)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(1)
    await sleeper
