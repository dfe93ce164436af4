"""The event loop's half of group commit: what waits to be written, who waits for it, and how storage is doing.

Everything here but `_report` runs on the loop's thread and shares nothing with the writer's thread: one list goes over
when a turn of the loop ends, one call comes back when a group is done. Writes that arrive while a group commits make up
the next one, so that groups grow with the load and one flush to the disk carries them all.

That thread holds patient writes while storage fails; here it is known which they are, and that they aren't too many.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from chirrup.core.errors import StoreError, StoreUnavailable
from chirrup.core.record import record
from chirrup.store.patience import SECONDS, Patience
from chirrup.store.thread import HELD, Done, Joined, Work
from chirrup.store.writer import Alone, Failed, Item, Writer

LIMIT: Final = 64 * 2**20
"""How much may wait to be written, in characters of text plus `OVERHEAD` for each write; and how much may be held while
storage fails."""
OVERHEAD: Final = 1000

Kind: TypeAlias = Literal["read", "write"]
_KINDS: Final[tuple[Kind, ...]] = ("read", "write")

_log = logging.getLogger("chirrup.store")


@record
class Health:
    """How storage is doing, for people who look after it."""

    healthy: bool
    """The last query and the last group worked, and the database answers."""
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
        self._patience = {what: Patience(partial(self._hangs, what)) for what in _KINDS}
        self.reading = self._patience["read"]
        """Told of queries by whoever makes them."""
        self._thread = threading.Thread(
            target=Work(writer, self._batches, self._report).run, name="chirrup-store-write", daemon=True
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

    def _hangs(self, what: Kind) -> None:
        problem = f"the database hasn't answered for {SECONDS:.0f} seconds; what needs it waits"
        self.note(what, StoreUnavailable(problem))

    def note(self, what: Kind, fault: StoreError | None) -> None:
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
        for patience in self._patience.values():
            patience.stop()
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
        self._patience["write"].asked(len(batch))
        self._batches.put(batch)

    def _report(self, done: Done) -> None:
        """On the writer's thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, done)
        except RuntimeError:
            return  # The loop was closed without closing the store: nobody waits any more.

    def _settle(self, done: Done) -> None:
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
        self._patience["write"].answered(len(done.items))
        for item, outcome in zip(done.items, done.outcomes, strict=True):
            self._size -= item[2]
            if outcome is HELD:
                self._held.append(item)
                self._held_size += item[2]
            else:
                self._finish(item, outcome)
        if done.attempted:
            self.note("write", done.fault)
        if began and self._held:
            self._loop.call_soon(self.when_held)
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


def _nobody_cares() -> None: ...
