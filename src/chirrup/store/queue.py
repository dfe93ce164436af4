"""The event loop's half of group commit: what waits to be written, who waits for it, and how storage is doing.

Everything here but `_Work` runs on the loop's thread and shares nothing with the writer's thread: one list goes over
when a turn of the loop ends, one call comes back when a group is done. Writes that arrive while a group commits make up
the next one, so that groups grow with the load and one flush to the disk carries them all.

Writes that can wait are held by the writer's thread while storage fails, and tried again until it works: in their
order, so that none is stored before one that came earlier. Others fail.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection

from chirrup.core.errors import StoreError
from chirrup.core.record import record
from chirrup.store.writer import Alone, Failed, Fault, Item, Writer

LIMIT: Final = 64 * 2**20
"""How much may wait to be written, in characters of text plus `OVERHEAD` for each write; and how much may be held while
storage fails."""
OVERHEAD: Final = 1000
INTERVAL: Final = 0.002
"""Seconds between the starts of two groups, at least: where flushing is fast, groups of one or two would otherwise cost
the event loop's thread a good part of its processor."""
RETRY: Final = 1.0
"""Seconds after which what is held is tried again."""
PIECE: Final = 2**20
"""How much of it goes into one transaction, measured as in `LIMIT`."""

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
    held: int
    """Messages, and changes of theirs, that wait until storage works again."""


class WriteQueue:
    """Writes in the order they came, for the `Writer` on its own thread.

    Make it on a running loop; `close` stops the thread.
    """

    def __init__(self, writer: Writer, now: Callable[[], float]) -> None:
        self._writer = writer
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._batch: list[Item] = []
        self._joined: dict[Callable[..., Any], Joined] = {}
        self._joined_patient: dict[Callable[..., Any], Joined] = {}
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
        self._held: deque[Item] = deque()
        self._held_size = 0
        self.when_held: Callable[[], None] = _nobody_cares
        """Called when storage has begun to fail, and something is held."""
        self._closed = False
        self._thread = threading.Thread(
            target=_Work(writer, self._batches, self._report).run, name="chirrup-store-write", daemon=True
        )
        self._thread.start()

    def put(self, function: Callable[..., Any], row: Any = Alone.PLAIN, size: int = 0) -> asyncio.Future[Any]:
        """Queue a write (see `writer`); `size` is its text's length in characters.

        The future's result is the function's. It fails with StoreError at once when too much is waiting, or held.
        """
        future = self._loop.create_future()
        if self._closed or self._size >= LIMIT or (row is Alone.PATIENT and self._held_size >= LIMIT):
            future.set_exception(self._refusal())
            return future
        if not self._batch:
            self._loop.call_soon(self._hand_over)
        size += OVERHEAD
        self._batch.append((function, row, size, future))
        self._size += size
        self._submitted += 1
        return future

    def join(
        self, function: Callable[..., Any], row: Any, size: int = 0, *, patient: bool = False
    ) -> asyncio.Future[Any]:
        """Queue a row: all that are joined with the same function in one turn of the loop, those that are `patient` and
        the others, are one write, with one future, made by `function(connection, rows, again)` where the first of them
        stands. They are stored in their order, patient or not. Otherwise as `put`.

        For what is written so often that a future for each would be much of its cost; they fail together, too."""
        joining = self._joined_patient if patient else self._joined
        joined = joining.get(function)
        if joined is None:
            joined = Joined(function, len(self._batch))
            joined.future = future = self.put(joined, Alone.PATIENT if patient else Alone.ORDERED)
            if future.done():
                return future
            joining[function] = joined
        joined.rows.append(row)
        joined.size += size + OVERHEAD
        return joined.future

    def joining(self, function: Callable[..., Any], *, patient: bool = False) -> asyncio.Future[Any] | None:
        """The future of those who joined with this function in this turn of the loop, if there are any."""
        joined = (self._joined_patient if patient else self._joined).get(function)
        return None if joined is None else joined.future

    @property
    def holding(self) -> bool:
        """Whether writes are held, because storage fails."""
        return bool(self._held)

    def held(self) -> Iterator[Callable[..., Any]]:
        """The functions of the writes that are held, in their order; a `Joined` for rows."""
        return (function for function, _, _, _ in self._held)

    @property
    def pending(self) -> bool:
        """Whether a write is queued or being committed."""
        return self._done != self._submitted

    def settled(self) -> asyncio.Future[None]:
        """Done when everything put so far was committed, has failed or is held, and its futures know of the first
        two."""
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
            held=sum(len(function.rows) if isinstance(function, Joined) else 1 for function in self.held()),
        )

    def note(self, what: Literal["read", "write"], fault: StoreError | None) -> None:
        """A query or a group worked (None) or met `fault`."""
        if fault is not None:
            self._last_error, self._last_error_at = str(fault), self._now()
            if what not in self._failing:
                self._failing.add(what)
                _log.error("storage failed", extra={"values": {"what": what, "reason": str(fault)}})
        elif what in self._failing and not (what == "write" and self._held):
            self._failing.discard(what)
            _log.info("storage works again", extra={"values": {"what": what}})

    async def close(self) -> None:
        """Write what waits, then stop. What comes later is refused. What is held is given up where storage still
        fails."""
        self._closed = True
        await self.settled()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        if self._held:
            held = self.health().held
            _log.error("messages were not stored", extra={"values": {"count": held, "reason": self._last_error}})
            while self._held:
                self._finish(self._held.popleft(), Failed(StoreError(self._last_error)))

    def _refusal(self) -> StoreError:
        if self._closed:
            return StoreError("the store is closed")
        waiting = self._submitted - self._done + len(self._held)
        return StoreError(f"too much is waiting to be stored ({waiting} writes)")

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        for joining in (self._joined, self._joined_patient):
            for joined in joining.values():
                function, row, _, future = batch[joined.place]
                batch[joined.place] = function, row, joined.size, future
                self._size += joined.size - OVERHEAD
            joining.clear()
        self._batches.put(batch)

    def _report(self, done: _Done) -> None:
        """On the writer's thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, done)
        except RuntimeError:
            return  # The loop was closed without closing the store: nobody waits any more.

    def _settle(self, done: _Done) -> None:
        self._groups += done.attempted and done.fault is None
        if done.again:
            for item, outcome in zip(done.items, done.outcomes, strict=True):
                self._held.popleft()
                self._held_size -= item[2]
                self._finish(item, outcome)
            if done.attempted:
                self.note("write", done.fault)
            return
        began = not self._held
        self._done += len(done.items)
        for item, outcome in zip(done.items, done.outcomes, strict=True):
            self._size -= item[2]
            if outcome is _HELD:
                self._held.append(item)
                self._held_size += item[2]
            else:
                self._finish(item, outcome)
        if done.attempted:
            self.note("write", done.fault)
        if began and self._held:
            self.when_held()
        while self._barriers and self._barriers[0][0] <= self._done:
            barrier = self._barriers.popleft()[1]
            if not barrier.cancelled():
                barrier.set_result(None)

    def _finish(self, item: Item, outcome: Any) -> None:
        future = item[3]
        failed = isinstance(outcome, Failed)
        self._written += not failed
        if future.cancelled():
            return
        if failed:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)


class Joined:
    """Rows that are one write: where it stands in its batch, and who waits for it."""

    __slots__ = ("again", "function", "future", "place", "rows", "size")

    future: asyncio.Future[Any]

    def __init__(self, function: Callable[..., Any], place: int) -> None:
        self.function = function
        self.place = place
        self.rows: list[Any] = []
        self.size = 0
        self.again = False
        """Whether they may have been tried before, and be stored."""

    def __call__(self, connection: Connection) -> Any:
        return self.function(connection, self.rows, self.again)


_HELD: Final = object()
"""The outcome of a write that will be tried again."""


@record
class _Done:
    """What the writer's thread has to tell of a group."""

    items: Sequence[Item]
    outcomes: Sequence[Any]
    fault: StoreError | None
    attempted: bool = True
    """Whether the database was asked at all."""
    again: bool = False
    """Whether these were held before: the first of those that are."""


class _Work:
    """The writer's thread."""

    def __init__(
        self, writer: Writer, batches: queue.SimpleQueue[list[Item] | None], report: Callable[[_Done], None]
    ) -> None:
        self._writer = writer
        self._batches = batches
        self._report = report
        self._held: deque[Item] = deque()
        self._try_at = 0.0
        self._fault: StoreError | None = None
        """The last one, while there is something held."""

    def run(self) -> None:
        stopping = False
        started = 0.0
        while not stopping:
            batch = self._next()
            if (wait := started + INTERVAL - time.monotonic()) > 0:
                time.sleep(wait)
            started = time.monotonic()
            stopping = batch is None
            group = batch or []
            while not self._batches.empty():
                more = self._batches.get()
                stopping |= more is None
                group += more or ()
            if group:
                self._commit(group)
            if self._held and time.monotonic() >= self._try_at:
                self._try_again()
        while self._held and time.monotonic() >= self._try_at:
            self._try_again()
        self._writer.close()

    def _next(self) -> list[Item] | None:
        """What is to be done; empty when it is time to try again what is held."""
        if not self._held:
            return self._batches.get()
        try:
            return self._batches.get(timeout=max(0, self._try_at - time.monotonic()))
        except queue.Empty:
            return []

    def _commit(self, group: list[Item]) -> None:
        behind: list[Item] = []
        if self._held:
            behind = [item for item in group if item[1] is Alone.PATIENT or item[1] is Alone.ORDERED]
            group = [item for item in group if item[1] is not Alone.PATIENT and item[1] is not Alone.ORDERED]
        outcomes, fault = self._attempt(group)
        if fault is not None and fault.outside:
            for place, item in enumerate(group):
                if item[1] is Alone.PATIENT:
                    outcomes[place] = _HELD
                    self._hold(item, fault.error)
        if behind:
            assert self._fault is not None
            for item in behind:
                if item[1] is Alone.PATIENT:
                    outcomes.append(_HELD)
                    self._held.append(item)
                else:
                    outcomes.append(_failed(self._fault))
        error = None if fault is None else fault.error
        self._report(_Done(group + behind, outcomes, error, bool(group)))

    def _attempt(self, group: Sequence[Item]) -> tuple[list[Any], Fault | None]:
        if not group:
            return [], None
        try:
            return self._writer.commit(group), None
        except Fault as fault:
            return [_failed(fault.error) for _ in group], fault

    def _hold(self, item: Item, fault: StoreError) -> None:
        if not self._held:
            self._try_at = time.monotonic() + RETRY
        self._fault = fault
        self._held.append(item)

    def _try_again(self) -> None:
        """Store what has been held for longest, if that can be done again; the rest soon after it."""
        size = 0
        piece: list[Item] = []
        for item in self._held:
            size += item[2]
            if piece and size > PIECE:
                break
            piece.append(item)
            if isinstance(item[0], Joined):
                item[0].again = True
        outcomes, fault = self._attempt(piece)
        if fault is not None and fault.outside:
            self._fault = fault.error
            self._try_at = time.monotonic() + RETRY
            self._report(_Done((), (), fault.error, again=True))
            return
        for _ in piece:
            self._held.popleft()
        self._report(_Done(piece, outcomes, None if fault is None else fault.error, again=True))


def _failed(fault: StoreError) -> Failed:
    """Each waiter gets an exception of its own: raising one adds to its traceback."""
    return Failed(type(fault)(*fault.args))


def _nobody_cares() -> None: ...
