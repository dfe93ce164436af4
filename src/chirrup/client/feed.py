"""Async iterators over what comes in: `async for message in client.messages():`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar
from weakref import WeakSet

from chirrup.core.errors import LocalProtocolError

T = TypeVar("T")


class Feed(Generic[T]):
    """What came since it was made, one by one. It ends when the client goes offline for good, with the error that was
    the reason, or when it is closed. Nobody needs to close it: a feed that nobody holds any more is forgotten."""

    __slots__ = ("__weakref__", "_closed", "_error", "_items", "_taken", "_waiter", "_wants")

    def __init__(
        self,
        wants: Callable[[T], bool] | None = None,
        *,
        most: int | None = None,
        taken: Callable[[], None] | None = None,
    ) -> None:
        """`wants` says what is let in. Of more than `most` items that nobody has taken the oldest are forgotten.
        `taken` is called when an item was taken."""
        self._wants = wants
        self._taken = taken
        self._items: deque[T] = deque(maxlen=most)
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._error: Exception | None = None

    def __len__(self) -> int:
        """How many items wait to be taken."""
        return len(self._items)

    def put(self, item: T) -> None:
        if not self._closed and (self._wants is None or self._wants(item)):
            self._items.append(item)
            self._wake()

    def close(self, error: Exception | None = None) -> None:
        """End it after what is in it, with an error if there is one."""
        if not self._closed:
            self._closed, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._waiter is not None:
                raise LocalProtocolError("a feed has one reader at a time")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item = self._items.popleft()
        if self._taken is not None:
            self._taken()
        return item


class Feeds(Generic[T]):
    """All feeds of one kind of thing."""

    __slots__ = ("_feeds", "_taken")

    def __init__(self, taken: Callable[[], None] | None = None) -> None:
        self._feeds: WeakSet[Feed[T]] | None = None
        self._taken = taken

    def __bool__(self) -> bool:
        return bool(self._feeds)

    def open(self, wants: Callable[[T], bool] | None = None, *, most: int | None = None) -> Feed[T]:
        if self._feeds is None:
            self._feeds = WeakSet()
        feed = Feed(wants, most=most, taken=self._taken)
        self._feeds.add(feed)
        return feed

    def put(self, item: T) -> None:
        if self._feeds:
            for feed in tuple(self._feeds):
                feed.put(item)

    def close(self, error: Exception | None = None) -> None:
        feeds, self._feeds = self._feeds, None
        for feed in tuple(feeds or ()):
            feed.close(error)

    @property
    def longest(self) -> int:
        """How many items wait in the feed where most do."""
        return max(map(len, self._feeds), default=0) if self._feeds else 0
