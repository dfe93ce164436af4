"""Running handlers that are coroutines: begun in order, none waiting for another, without a task for each.

A worker, which is a task, runs one handler after the other as long as none of them waits. When one does, another worker
goes on with those behind it. So a thousand messages whose handlers only answer cost one task, and a handler that sleeps
for an hour holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final

log: Final = logging.getLogger("chirrup.client")

Work = Coroutine[Any, Any, Any]


class Workers:
    """The handlers of one client that have begun, and those that will."""

    __slots__ = ("_active", "_most", "_ready", "_tasks", "drained")

    def __init__(self, most: int = 1000) -> None:
        """Of so many handlers that wait, no more are begun."""
        self._most = most
        self._ready: deque[Work] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._active = False
        self.drained: Callable[[], None] | None = None
        """Called when handlers have ended, and there may be room for more."""

    def __len__(self) -> int:
        """How many handlers haven't ended."""
        return len(self._ready) + len(self._tasks)

    def start(self, work: Work) -> None:
        self._ready.append(work)
        if not self._active and len(self._tasks) < self._most:
            self._hire()

    def _hire(self) -> None:
        self._active = True
        task = asyncio.get_running_loop().create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a worker failed", exc_info=error)
        if self._ready and not self._active:
            self._hire()
        if self.drained is not None:
            self.drained()

    async def _work(self) -> None:
        """Run what is ready, up to the first handler that waits; that one to its end."""
        ready = self._ready
        alone = True  # whether no other worker goes on with what is ready
        try:
            while ready:
                work = ready.popleft()
                try:
                    awaited = work.send(None)
                except StopIteration:
                    continue
                except Exception as error:
                    _failed(work, error)
                    continue
                self._active = alone = False
                if ready and len(self._tasks) < self._most:
                    self._hire()
                try:
                    await _go_on(work, awaited)
                except Exception as error:
                    _failed(work, error)
                return
        finally:
            if alone:
                self._active = False

    async def stop(self) -> None:
        """Cancel what runs, but for whoever calls this, and wait until it has ended."""
        for work in self._ready:
            work.close()
        self._ready.clear()
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)


def _failed(work: Work, error: Exception) -> None:
    log.error("a handler failed: %s", getattr(work, "__qualname__", work), exc_info=error)


@types.coroutine
def _go_on(work: Work, awaited: Any) -> Generator[Any, Any, None]:
    """Await a coroutine that has taken its first step, and waits for this."""
    while True:
        try:
            sent = yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step: Callable[[], Any] = partial(work.throw, error)
        else:
            step = partial(work.send, sent)
        try:
            awaited = step()
        except StopIteration:
            return
