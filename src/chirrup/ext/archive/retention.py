"""How long archives go back: what is too old goes, and the oldest of what is too much.

Deletion runs in the background, some hundred messages at a time, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
from random import random
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StoreError
from chirrup.store.message_rows import CHUNK

if TYPE_CHECKING:
    from chirrup.net.clock import Timer
    from chirrup.server.host import Host

INTERVAL: Final = 60.0
"""Seconds between two looks at who has got much."""
AGE_INTERVAL: Final = 3600.0
"""Seconds between two looks at what has become too old."""
_STEP: Final = 16
"""An archive's size is looked at when it has grown by this fraction of the most it may be."""


class Retention:
    """Keeps the archives of a host within their bounds."""

    def __init__(self, host: Host, *, seconds: float, octets: int) -> None:
        """Both are bounds of an account's archive; 0 is none."""
        self._host = host
        self._messages = host.store.messages
        self._seconds = seconds
        self._octets = octets
        self._grown: dict[str, float] = {}
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._aged = 0.0

    def start(self) -> None:
        if self._seconds or self._octets:
            self._timer = self._host.clock.call_later(INTERVAL, self._look)

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def note(self, owner: str, octets: int) -> None:
        """An archive has got so much more: called for each message."""
        if self._octets:
            grown = self._grown.get(owner)
            # By how much it has grown before the server started nobody knows: by anything below a step.
            self._grown[owner] = octets + (random() * self._octets / _STEP if grown is None else grown)

    def forget(self, owner: str) -> None:
        """The account is gone."""
        self._grown.pop(owner, None)

    def _look(self) -> None:
        self._timer = self._host.clock.call_later(INTERVAL, self._look)
        if self._task is None:
            self._task = self._host.server.spawn(self._tidy())
            self._task.add_done_callback(self._tidied)

    def _tidied(self, task: asyncio.Task[None]) -> None:
        self._task = None

    async def _tidy(self) -> None:
        try:
            for owner, grown in [item for item in self._grown.items() if item[1] * _STEP >= self._octets]:
                await self._shorten(owner)
                if owner in self._grown:  # else the account was removed meanwhile
                    self._grown[owner] -= grown
            now = self._host.clock.time()
            if self._seconds and now - self._aged >= AGE_INTERVAL:
                await self._forget_older_than(now - self._seconds)
                self._aged = now
        except StoreError as error:  # told by the store already, and tried again
            self._host.log.warning("archives could not be shortened", reason=str(error))

    async def _shorten(self, owner: str) -> None:
        last = await self._messages.excess(owner, self._octets)
        if last is not None:
            count = await self._expire(owner, last + 1)
            self._host.log.info("an archive was shortened", owner=owner, messages=count)

    async def _forget_older_than(self, moment: float) -> None:
        before = int(moment * 1_000_000)
        owner, count = "", 0
        while owners := await self._messages.owners(after=owner, limit=100):
            own = [owner for owner in owners if owner.rpartition("@")[2] == self._host.name]
            aged = await self._messages.aged(own, before)
            while aged:  # of all of them at once: a write for each would be many
                expired = await self._messages.expire_of(aged, before)
                count += expired
                if expired < CHUNK:
                    break
            owner = owners[-1]
        if count:
            self._host.log.info("old messages were taken out of archives", messages=count)

    async def _expire(self, owner: str, before: int) -> int:
        total, count = 0, CHUNK
        while count == CHUNK:
            count = await self._messages.expire(owner, before)
            total += count
        return total
