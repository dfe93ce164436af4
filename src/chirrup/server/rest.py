"""From time to time each connection is asked to give back what memory it can do without."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Final, Protocol

from chirrup.net.clock import Clock, Timer

EVERY: Final = 10.0
"""Seconds between the end of one round and the next."""
AFTER: Final = 10.0
"""Seconds without a word after which a connection counts as silent."""
_AT_ONCE: Final = 500
"""Connections looked at in one turn of the loop: so that nobody waits for it."""
_PAUSE: Final = 0.05


class Rests(Protocol):
    """A connection as this sees it."""

    def rest(self, silent_since: float) -> None:
        """Give back memory that isn't needed where nothing has come since then, on the monotonic clock."""


class Rounds:
    """Goes round all connections, with one timer for all of them."""

    def __init__(self, clock: Clock, connections: Callable[[], Collection[Rests]]) -> None:
        self._clock = clock
        self._connections = connections
        self._timer: Timer | None = None
        self._round: Iterator[Rests] = iter(())

    def start(self) -> None:
        self._timer = self._clock.call_later(EVERY, self._begin)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._round = iter(list(self._connections()))
        self._go_on()

    def _go_on(self) -> None:
        silent_since = self._clock.monotonic() - AFTER
        some = list(islice(self._round, _AT_ONCE))
        for connection in some:
            connection.rest(silent_since)
        if some:
            self._timer = self._clock.call_later(_PAUSE, self._go_on)
        else:
            self.start()
