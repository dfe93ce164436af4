"""Deadlines by an injected clock: a wait that takes too long ends with an error that names what was waited for."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

from chirrup.core.errors import DeadlineError
from chirrup.net.clock import Clock, Timer


class Deadline:
    """`async with Deadline(clock, 30, "waiting for stream features"):` raises DeadlineError if the block takes longer.

    Like `asyncio.timeout`, it must be used inside a task, and tells another's cancellation from its own."""

    __slots__ = ("_cancelling", "_clock", "_expired", "_task", "_timer", "seconds", "step")

    def __init__(self, clock: Clock, seconds: float, step: str) -> None:
        self._clock = clock
        self.seconds = seconds
        self.step = step
        self._expired = False
        self._task: asyncio.Task[Any] | None = None
        self._timer: Timer | None = None
        self._cancelling = 0

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task, self._cancelling = task, task.cancelling()
        self._timer = self._clock.call_later(self.seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._timer is not None:
            self._timer.cancel()
        if self._expired and task is not None:
            others = task.uncancel() > self._cancelling
            if kind is not None and issubclass(kind, asyncio.CancelledError) and not others:
                raise DeadlineError(self.step, self.seconds) from None
