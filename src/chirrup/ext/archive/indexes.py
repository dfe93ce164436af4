"""Making archives searchable: when somebody searches, what is new is indexed, which may be all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chirrup.server.host import Host


class Indexes:
    """Brings indexes up to date. One of 100,000 messages takes some seconds."""

    def __init__(self, host: Host) -> None:
        self._spawn = host.server.spawn
        self._messages = host.store.messages
        self._made: dict[str, asyncio.Task[None]] = {}

    async def refresh(self, owner: str) -> asyncio.Task[None] | None:
        """Index what is new, if it is little. For more there is a task, which the first search of an archive gets so
        that nothing else needs to wait for it; further ones wait here: an account has one at a time."""
        if await self._messages.index(owner):
            return None
        task = self._made.get(owner)
        if task is not None:
            await asyncio.shield(task)
            return None
        task = self._made[owner] = self._spawn(self._make(owner))
        task.add_done_callback(lambda _: self._made.pop(owner))
        return task

    async def stop(self) -> None:
        for task in list(self._made.values()):
            task.cancel()

    async def _make(self, owner: str) -> None:
        while not await self._messages.index(owner):
            pass
