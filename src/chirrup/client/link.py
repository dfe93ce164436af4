"""One connection of a client or component, first read by who negotiates, then by the entity."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from chirrup.core.errors import Disconnected
from chirrup.net.connection import Connection

SEND_BUFFER_BYTES: Final = 16 * 1024 * 1024
"""So much may wait to be sent before the connection is given up: only what doesn't wait for room can come to that."""
TURN_BYTES: Final = 65_536
"""So much is written in one turn of the event loop before the others get theirs."""
_INBOX_BYTES: Final = 262_144


class Owner(Protocol):
    """Who reads a connection whose stream is negotiated."""

    def link_received(self, link: Link, data: bytes) -> None: ...
    def link_lost(self, link: Link, reason: Exception | None) -> None: ...


class Link(Connection):
    """A connection with room: `write` never waits, and who can wait does so in `room`."""

    __slots__ = ("_inbox", "_inbox_bytes", "_owner", "_reason", "_waiter", "blocked", "heard", "queued", "where")

    def __init__(self, loop: asyncio.AbstractEventLoop, where: str) -> None:
        super().__init__(loop, send_buffer_bytes=SEND_BUFFER_BYTES)
        self.where = where
        """The peer, for people to read."""
        self.heard = False
        """Whether anything has come since this was last set to False."""
        self.blocked = False
        """Whether there is no room for another reason than the peer's slowness; whoever unsets this calls `wake`."""
        self.queued = 0
        """Octets written in this turn of the loop."""
        self._inbox: list[bytes] = []
        self._inbox_bytes = 0
        self._waiter: asyncio.Future[None] | None = None  # whoever waits for octets, or for room
        self._owner: Owner | None = None
        self._reason: Exception | None = None

    # -- negotiation

    async def read(self) -> bytes:
        """What has come, at least one octet. Raises Disconnected at the end."""
        while not self._inbox:
            if self._is_lost:
                raise self.gone
            await self.wait()
        return self.take()

    def take(self) -> bytes:
        """What has come and nobody has read."""
        data = b"".join(self._inbox)
        self._inbox.clear()
        self._inbox_bytes = 0
        self.resume_reading("inbox")
        return data

    @property
    def broken(self) -> bool:
        """Whether an error ended the connection, and nobody closed it."""
        return self._reason is not None

    @property
    def gone(self) -> Disconnected:
        """The error that says how the connection was lost."""
        why = f": {self._reason}" if self._reason is not None else ""
        return Disconnected(f"{self.where} closed the connection{why}")

    def belong(self, owner: Owner) -> None:
        """Give what comes from now on to the entity, first what nobody has read."""
        self._owner = owner
        if self._inbox:
            owner.link_received(self, self.take())
        if self._is_lost:
            owner.link_lost(self, self._reason)

    # -- Connection

    def received(self, data: bytes) -> None:
        self.heard = True
        owner = self._owner
        if owner is not None:
            owner.link_received(self, data)
            return
        self._inbox.append(data)
        self._inbox_bytes += len(data)
        if self._inbox_bytes > _INBOX_BYTES:
            self.pause_reading("inbox")
        self.wake()

    def lost(self, reason: Exception | None) -> None:
        self._reason = reason
        self.wake()
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.link_lost(self, reason)

    def pause_writing(self) -> None:
        """Reading goes on, unlike at a server: if both ends stopped to read, both would wait for ever."""
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        self.wake()

    # -- writing

    def write(self, data: bytes) -> None:
        self.queued += len(data)
        out = self._out
        if not out:
            self.loop.call_soon(self._flush)
        out.append(data)

    def _flush(self) -> None:
        self.queued = 0
        super()._flush()

    @property
    def has_room(self) -> bool:
        return not (self.congested or self.blocked) and self.queued < TURN_BYTES

    async def room(self) -> None:
        """Wait until the peer has taken enough of what was written, and others have had their turn. Raises
        Disconnected."""
        while not self.has_room or self.closing:
            if self.closing:
                raise self.gone
            if self.queued:
                self._flush()
                await asyncio.sleep(0)
            else:
                await self.wait()

    async def wait(self) -> None:
        """Wait for something to happen: octets, room, the end, or `wake`."""
        if self._waiter is None or self._waiter.done():
            self._waiter = self.loop.create_future()
        await asyncio.shield(self._waiter)

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
