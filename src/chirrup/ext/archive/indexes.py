"""Making archives searchable: when somebody searches, what is new is indexed, which may be all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from chirrup.core.errors import StanzaError

if TYPE_CHECKING:
    from chirrup.server.host import Host


class Indexes:
    """Brings indexes up to date. One of 100,000 messages takes some seconds."""

    def __init__(self, host: Host) -> None:
        self._spawn = host.server.spawn
        self._messages = host.store.messages
        self._made: dict[str, asyncio.Task[bool]] = {}
        self._stopped = False

    def stop(self) -> None:
        """Go on with none of them."""
        self._stopped = True

    async def refresh(self, owner: str) -> Awaitable[None] | None:
        """Index what is new, if it is little. For more, the first search of an archive gets what it has to wait for,
        and nothing else needs to wait with it; further ones wait here: an account has one such search at a time."""
        if await self._messages.index(owner):
            return None
        task = self._made.get(owner)
        if task is not None:
            await _end_of(task)
            return None
        task = self._made[owner] = self._spawn(self._make(owner))
        task.add_done_callback(lambda _: self._made.pop(owner))
        return _end_of(task)

    async def _make(self, owner: str) -> bool:
        """Whether it is whole now."""
        while not self._stopped:
            if await self._messages.index(owner):
                return True
        return False


async def _end_of(task: asyncio.Task[bool]) -> None:
    if not await asyncio.shield(task):
        raise StanzaError("service-unavailable", "the archive is being closed")
