"""Making archives searchable: when somebody searches, what is new is indexed, which may be all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import StanzaError

if TYPE_CHECKING:
    from chirrup.server.host import Host

_MOST: Final = 16
"""Searches of an account that wait for its index beside all else: some clients search with each letter."""


class Indexes:
    """Brings indexes up to date. One of 100,000 messages takes some seconds."""

    def __init__(self, host: Host) -> None:
        self._spawn = host.server.spawn
        self._messages = host.store.messages
        self._made: dict[str, _Making] = {}
        self._stopped = False

    def stop(self) -> None:
        """Go on with none of them."""
        self._stopped = True

    async def refresh(self, owner: str) -> Awaitable[None] | None:
        """Index what is new, if it is little. For more, the first searches of an archive get what they have to wait
        for, and nothing else needs to wait with them; further ones wait here: an account has only so many at once."""
        if await self._messages.index(owner):
            return None
        making = self._made.get(owner)
        if making is None:
            making = self._made[owner] = _Making(self._spawn(self._make(owner)))
            making.task.add_done_callback(lambda _: self._made.pop(owner))
        if making.searches == _MOST:
            await making.end()
            return None
        making.searches += 1
        return making.end()

    async def _make(self, owner: str) -> bool:
        """Whether it is whole now."""
        while not self._stopped:
            if await self._messages.index(owner):
                return True
        return False


@dataclass(slots=True)
class _Making:
    task: asyncio.Task[bool]
    searches: int = 0
    """How many nothing else waits with."""

    async def end(self) -> None:
        if not await asyncio.shield(self.task):
            raise StanzaError("service-unavailable", "the archive is being closed")
