"""Noticing that a database doesn't answer: one that hangs doesn't fail, either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

SECONDS: Final = 10.0
"""Time without any answer, while something was asked, after which a database is taken to hang."""


class Patience:
    """Counts what a database was given to do and what it has done. Costs a timer now and then."""

    def __init__(self, late: Callable[[], None]) -> None:
        """`late` is called after each so many seconds without any progress."""
        self._loop = asyncio.get_running_loop()
        self._late = late
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0
        self._answered = 0
        self._seen = 0

    def asked(self, count: int = 1) -> None:
        """There is more to do."""
        self._asked += count
        if self._timer is None:
            self._watch()

    def answered(self, count: int = 1) -> None:
        """So much is done, well or not."""
        self._answered += count

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        self._seen = self._answered
        self._timer = self._loop.call_later(SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._answered == self._asked:
            return
        if self._answered == self._seen:
            self._late()
        self._watch()
