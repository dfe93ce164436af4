"""How often something may be done: so many times within a while, for each of many."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

_MAX_TRACKED: Final = 50_000
"""Of how many it is remembered what they did; those that did nothing for the longest time are forgotten first."""


class Pace:
    """Counts what each of many does, told apart by a text. Times are those of one steady clock, in seconds."""

    def __init__(self, most: int, window: float) -> None:
        self._most = most
        self._window = window
        self._done: OrderedDict[str, list[float]] = OrderedDict()

    def take(self, who: str, now: float) -> bool:
        """Count one more, unless it would be too many."""
        done = [when for when in self._done.pop(who, ()) if now - when < self._window]
        if not done and len(self._done) >= _MAX_TRACKED:
            self._done.popitem(last=False)
        self._done[who] = done
        if len(done) >= self._most:
            return False
        done.append(now)
        return True

    def give_back(self, who: str) -> None:
        """What was counted last came to nothing."""
        if done := self._done.get(who):
            done.pop()
