"""When clients are asked for acknowledgements (XEP-0198 §4), and until when they have to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chirrup.net.clock import Clock, Timer
    from chirrup.server.management import Managed

_INTERVAL: Final = 1.0
"""Seconds after which a client is asked, at most, for what it was sent."""


class Pacer:
    """Asks the clients of a host for acknowledgements, and notices those that don't answer: with one timer for all,
    which runs only while something is due."""

    def __init__(self, clock: Clock, patience: Callable[[], float]) -> None:
        """`patience` says how many seconds a client has to answer."""
        self._clock = clock
        self._patience = patience
        self._unasked: set[Managed] = set()
        self._asked: dict[Managed, float] = {}  # and until when to answer, the earliest first
        self._timer: Timer | None = None
        self._answered: asyncio.Future[None] | None = None

    def watch(self, managed: Managed) -> None:
        """It was sent something."""
        self._unasked.add(managed)
        self._start()

    def asked(self, managed: Managed) -> None:
        self._unasked.discard(managed)
        self._asked[managed] = self._clock.monotonic() + self._patience()
        self._start()

    def forget(self, managed: Managed) -> None:
        """It has answered, or is gone."""
        self._unasked.discard(managed)
        self._asked.pop(managed, None)
        if self._answered is not None and not self._asked and not self._answered.done():
            self._answered.set_result(None)

    async def ask_all(self, seconds: float) -> None:
        """Ask every client that was sent something, and wait for the answers, but not longer than that: what they
        acknowledge before the server stops needn't be kept for them."""
        for managed in list(self._unasked):
            managed.ask()
        if self._asked:
            self._answered = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._answered], timeout=seconds)

    def stop(self) -> None:
        self._unasked.clear()
        self._asked.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self._clock.call_later(_INTERVAL, self._tick)

    def _tick(self) -> None:
        self._timer = None
        due, self._unasked = self._unasked, set()
        for managed in due:
            managed.ask()
        now = self._clock.monotonic()
        late = []
        for managed, until in self._asked.items():
            if until > now:
                break
            late.append(managed)
        for managed in late:
            self.forget(managed)
            managed.silent()
        if self._unasked or self._asked:
            self._start()
