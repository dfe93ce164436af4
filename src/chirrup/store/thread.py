"""The writer's thread: it makes groups of what is queued, and holds what can wait while storage fails.

What is held is tried again until it is stored: in its order, so that no patient write is stored before one that came
earlier, and in transactions of its own, so that others fail or succeed as if there were none.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from chirrup.core.errors import StoreError
from chirrup.core.record import record
from chirrup.store.writer import Alone, Failed, Fault, Item, Writer

INTERVAL: Final = 0.002
"""Seconds between the starts of two groups, at least: where flushing is fast, groups of one or two would otherwise cost
the event loop's thread a good part of its processor."""
RETRY: Final = 1.0
"""Seconds after which what is held is tried again, or more where that takes longer."""
PIECE: Final = 2**20
"""How much of it goes into one transaction, measured as in `LIMIT`."""
HELD: Final = object()
"""The outcome of a write that will be tried again."""


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


@record
class Done:
    """What the writer's thread has to tell of a group."""

    items: Sequence[Item]
    outcomes: Sequence[Any]
    fault: StoreError | None
    attempted: bool = True
    """Whether the database was asked at all."""
    again: bool = False
    """Whether these were held before: the first of those that are."""


class Work:
    """What the writer's thread does."""

    def __init__(
        self, writer: Writer, batches: queue.SimpleQueue[list[Item] | None], report: Callable[[Done], None]
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
                    outcomes[place] = HELD
                    self._hold(item, fault.error)
        if behind:
            assert self._fault is not None
            for item in behind:
                if item[1] is Alone.PATIENT:
                    outcomes.append(HELD)
                    self._held.append(item)
                else:
                    outcomes.append(_failed(self._fault))
        error = None if fault is None else fault.error
        self._report(Done(group + behind, outcomes, error, bool(group)))

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
        began = time.monotonic()
        outcomes, fault = self._attempt(piece)
        if fault is not None and fault.outside:
            self._fault = fault.error
            now = time.monotonic()
            self._try_at = now + max(RETRY, now - began)  # where that takes long, half of the time is for other writes
            self._report(Done((), (), fault.error, again=True))
            return
        for _ in piece:
            self._held.popleft()
        self._report(Done(piece, outcomes, None if fault is None else fault.error, again=True))


def _failed(fault: StoreError) -> Failed:
    """Each waiter gets an exception of its own: raising one adds to its traceback."""
    return Failed(type(fault)(*fault.args))
