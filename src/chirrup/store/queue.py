"""The event loop's half of group commit: what waits to be written, who waits for it, and how storage is doing.

Everything here but `_work` runs on the loop's thread and shares nothing with the writer's thread: one list goes over
when a turn of the loop ends, one call comes back when a group is done. Writes that arrive while a group commits make up
the next one, so that groups grow with the load and one flush to the disk carries them all.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal

from sqlalchemy import Connection

from chirrup.core.errors import StoreError
from chirrup.core.record import record
from chirrup.store.writer import ALONE, Failed, Item, Writer

LIMIT: Final = 64 * 2**20
"""How much may wait to be written, in characters of text plus `OVERHEAD` for each write."""
OVERHEAD: Final = 1000
INTERVAL: Final = 0.002
"""Seconds between the starts of two groups, at least: where flushing is fast, groups of one or two would otherwise cost
the event loop's thread a good part of its processor."""

_log = logging.getLogger("chirrup.store")


@record
class Health:
    """How storage is doing, for people who look after it."""

    healthy: bool
    """The last query and the last group worked."""
    last_error: str
    """One line; empty when there was none since the start."""
    last_error_at: float | None
    """Seconds since 1970."""
    written: int
    """Writes committed since the start."""
    groups: int
    """Transactions that carried them."""
    waiting: int
    """Writes that are queued or being committed."""


class WriteQueue:
    """Writes in the order they came, for the `Writer` on its own thread.

    Make it on a running loop; `close` stops the thread.
    """

    def __init__(self, writer: Writer, now: Callable[[], float]) -> None:
        self._writer = writer
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._batch: list[Item] = []
        self._joined: dict[Callable[..., Any], _Joined] = {}
        self._batches: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        self._size = 0
        self._submitted = 0
        self._done = 0
        self._barriers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._written = 0
        self._groups = 0
        self._last_error = ""
        self._last_error_at: float | None = None
        self._failing: set[str] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="chirrup-store-write", daemon=True)
        self._thread.start()

    def put(self, function: Callable[..., Any], row: Any = ALONE, size: int = 0) -> asyncio.Future[Any]:
        """Queue a write (see `writer`); `size` is its text's length in characters.

        The future's result is the function's. It fails with StoreError at once when too much is waiting.
        """
        future = self._loop.create_future()
        if self._closed or self._size >= LIMIT:
            future.set_exception(self._refusal())
            return future
        if not self._batch:
            self._loop.call_soon(self._hand_over)
        size += OVERHEAD
        self._batch.append((function, row, size, future))
        self._size += size
        self._submitted += 1
        return future

    def join(self, function: Callable[..., Any], row: Any, size: int = 0) -> asyncio.Future[Any]:
        """Queue a row: all that are joined with the same function in one turn of the loop are one write, with one
        future, made by `function(connection, rows)` where the first of them stands. Otherwise as `put`.

        For what is written so often that a future for each would be much of its cost; they fail together, too."""
        joined = self._joined.get(function)
        if joined is None:
            future = self.put(function)
            if future.done():
                return future
            joined = self._joined[function] = _Joined(len(self._batch) - 1, future)
        joined.rows.append(row)
        joined.size += size + OVERHEAD
        return joined.future

    def joining(self, function: Callable[..., Any]) -> asyncio.Future[Any] | None:
        """The future of those who joined with this function in this turn of the loop, if there are any."""
        joined = self._joined.get(function)
        return None if joined is None else joined.future

    @property
    def pending(self) -> bool:
        """Whether a write is queued or being committed."""
        return self._done != self._submitted

    def settled(self) -> asyncio.Future[None]:
        """Done when everything put so far was committed or has failed, and its futures know."""
        barrier: asyncio.Future[None] = self._loop.create_future()
        if self.pending:
            self._barriers.append((self._submitted, barrier))
        else:
            barrier.set_result(None)
        return barrier

    def health(self) -> Health:
        return Health(
            healthy=not self._failing,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            written=self._written,
            groups=self._groups,
            waiting=self._submitted - self._done,
        )

    def note(self, what: Literal["read", "write"], fault: StoreError | None) -> None:
        """A query or a group worked (None) or met `fault`."""
        if fault is not None:
            self._last_error, self._last_error_at = str(fault), self._now()
            if what not in self._failing:
                self._failing.add(what)
                _log.error("storage failed", extra={"values": {"what": what, "reason": str(fault)}})
        elif what in self._failing:
            self._failing.discard(what)
            _log.info("storage works again", extra={"values": {"what": what}})

    async def close(self) -> None:
        """Write what waits, then stop. What comes later is refused."""
        self._closed = True
        await self.settled()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _refusal(self) -> StoreError:
        if self._closed:
            return StoreError("the store is closed")
        return StoreError(f"too much is waiting to be stored ({self._submitted - self._done} writes)")

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        if self._joined:
            for function, joined in self._joined.items():
                batch[joined.place] = partial(_with_rows, function, joined.rows), ALONE, joined.size, joined.future
                self._size += joined.size - OVERHEAD
            self._joined = {}
        self._batches.put(batch)

    def _work(self) -> None:
        """The writer's thread."""
        stopping = False
        started = 0.0
        while not stopping:
            group = self._batches.get() or []
            if (wait := started + INTERVAL - time.monotonic()) > 0:
                time.sleep(wait)
            started = time.monotonic()
            stopping = not group
            while not self._batches.empty():
                more = self._batches.get()
                stopping |= more is None
                group += more or ()
            if group:
                self._commit(group)
        self._writer.close()

    def _commit(self, group: list[Item]) -> None:
        fault: StoreError | None = None
        try:
            outcomes = self._writer.commit(group)
        except StoreError as error:
            fault = error
            # Each waiter gets an exception of its own: raising one adds to its traceback.
            outcomes = [Failed(type(error)(*error.args)) for _ in group]
        try:
            self._loop.call_soon_threadsafe(self._settle, group, outcomes, fault)
        except RuntimeError:
            return  # The loop was closed without closing the store: nobody waits any more.

    def _settle(self, group: Sequence[Item], outcomes: Sequence[Any], fault: StoreError | None) -> None:
        self.note("write", fault)
        self._groups += fault is None
        self._done += len(group)
        for (_, _, size, future), outcome in zip(group, outcomes, strict=True):
            self._size -= size
            failed = isinstance(outcome, Failed)
            self._written += not failed
            if future.cancelled():
                continue
            if failed:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome)
        while self._barriers and self._barriers[0][0] <= self._done:
            barrier = self._barriers.popleft()[1]
            if not barrier.cancelled():
                barrier.set_result(None)


def _with_rows(function: Callable[..., Any], rows: list[Any], connection: Connection) -> Any:
    return function(connection, rows)


class _Joined:
    """Rows that are one write: where it stands in its batch, and who waits for it."""

    __slots__ = ("future", "place", "rows", "size")

    def __init__(self, place: int, future: asyncio.Future[Any]) -> None:
        self.place = place
        self.future = future
        self.rows: list[Any] = []
        self.size = 0
