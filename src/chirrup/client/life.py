"""The life of a connection: made, lost, made again, closed, and each step of that visible as a state.

Nothing runs while nothing happens: what is online has no task, only a timer.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from chirrup.client.backoff import STEADY, delays
from chirrup.client.feed import Feed, Feeds
from chirrup.client.link import Link
from chirrup.client.negotiation import Negotiated
from chirrup.client.states import ConnectionState, StateChange
from chirrup.core.errors import (
    AuthenticationError,
    ChirrupError,
    ConfigError,
    DeadlineError,
    Disconnected,
    LocalProtocolError,
    StreamError,
    TrustError,
)
from chirrup.core.framing import farewell
from chirrup.core.jid import JID
from chirrup.net.clock import Clock, SystemClock, sleep
from chirrup.net.deadline import Deadline

log: Final = logging.getLogger("chirrup.client")

TIMEOUT: Final = 30.0
"""Seconds that a step of connecting, an answer, or room to send is waited for."""
FAREWELL_SECONDS: Final = 5.0
"""How long the server has to close its half of the stream after we closed ours."""


class Life(ABC):
    """Something that connects, and connects again."""

    def __init__(self, jid: JID, *, reconnect: bool, timeout: float, clock: Clock | None) -> None:
        self.jid = jid
        """The own address: of a client the full JID, once it is bound."""
        self.timeout = timeout
        self.reconnect = reconnect
        self.clock: Clock = clock or SystemClock()
        self.change = StateChange(ConnectionState.OFFLINE)
        """The state, and what there is to say of it."""
        self._link: Link | None = None
        self._states: Feeds[StateChange] = Feeds()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._parting = False
        self._fault: Exception | None = None  # why the last connection was lost
        self._next_change: asyncio.Future[None] | None = None
        self._delays = delays()
        self._online_since: float | None = None  # of the last connection
        self._was_online = False

    # -- for subclasses

    @abstractmethod
    async def negotiate(self) -> Negotiated:
        """Make a stream that is ready. Raises ChirrupError or OSError."""

    @abstractmethod
    async def _begin(self, negotiated: Negotiated) -> bool:
        """Take over a stream that is ready, and prepare the session. Whether it is the former one, resumed."""

    @abstractmethod
    def _unlink(self, link: Link, reason: Exception | None) -> None:
        """The connection is of no use any more; what was online may come back."""

    @abstractmethod
    def _finish(self, reason: Exception | None) -> None:
        """It won't come back: whoever waits for something is told."""

    def final(self, reason: Exception) -> bool:
        """Whether another attempt to connect would be of no use: the credentials are refused, an option can't be used
        (one that could be is a file that is just being replaced), or another client has taken the resource over and
        would take it again."""
        if isinstance(reason, ConfigError):
            return not self._was_online
        return isinstance(reason, AuthenticationError) or (
            isinstance(reason, StreamError) and reason.condition == "conflict"
        )

    # -- states

    @property
    def state(self) -> ConnectionState:
        return self.change.state

    def states(self) -> Feed[StateChange]:
        """The state now, and each that follows, until it is offline for good."""
        feed = self._states.open(most=100)
        feed.put(self.change)
        return feed

    async def online(self) -> None:
        """Return when it is online. Raises the reason why it is offline for good, or Disconnected."""
        while self.state is not ConnectionState.ONLINE:
            if self.state is ConnectionState.OFFLINE:
                raise self.change.reason or Disconnected("not connected")
            await self._changed()

    async def wait_closed(self) -> None:
        """Return when the program has closed the connection; raises the reason when it ended otherwise, for good."""
        while self.state is not ConnectionState.OFFLINE:
            await self._changed()
        if self.change.reason is not None:
            raise self.change.reason

    async def _changed(self) -> None:
        """Wait for the next state."""
        if self._next_change is None:
            self._next_change = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next_change)

    def _enter(
        self,
        state: ConnectionState,
        *,
        reason: Exception | None = None,
        retry_in: float | None = None,
        resumed: bool = False,
    ) -> None:
        self.change = StateChange(state, reason, retry_in, resumed)
        self._states.put(self.change)
        waiting, self._next_change = self._next_change, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # -- connecting

    async def connect(self, *, retry: bool = False) -> None:
        """Connect, and return when it is online.

        Raises what stands against it at once: AuthenticationError, ResolutionError, TrustError, DeadlineError and other
        NetworkErrors, StreamError; with `retry` it tries again, but for what is final."""
        if self.state is not ConnectionState.OFFLINE:
            raise LocalProtocolError(f"it is {self.state.value} already")
        self._enter(ConnectionState.RESOLVING)
        attempt = self._connecting = asyncio.get_running_loop().create_task(self._attempt())
        try:
            await attempt
        except (ChirrupError, OSError) as error:
            if not retry or self.final(error):
                self._give_up(error)
                raise
            self._try_again(error)
        except asyncio.CancelledError:
            self._give_up(None)
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # `close` has cancelled the attempt
                raise Disconnected("it was closed while it was connecting") from None
            raise
        except BaseException:
            self._give_up(None)
            raise
        finally:
            if self._connecting is attempt:
                self._connecting = None
        await self.online()

    async def _attempt(self) -> None:
        negotiated = await self.negotiate()
        self._enter(ConnectionState.STARTING)
        self._link = link = negotiated.link
        try:
            resumed = await self._begin(negotiated)
            if self._link is not link:
                raise self._fault or link.gone
        except BaseException as error:
            if self._link is link:
                self._leave(link, error if isinstance(error, Exception) else None)
            raise
        log.info("%s is online, by %s", self.jid, link.where)
        self._online_since, self._was_online = self.clock.monotonic(), True
        self._enter(ConnectionState.ONLINE, resumed=resumed)

    def _try_again(self, reason: Exception) -> None:
        since, self._online_since = self._online_since, None
        if since is None or self.clock.monotonic() - since >= STEADY:
            self._delays = delays()
        self._connecting = asyncio.get_running_loop().create_task(self._try(reason))

    async def _try(self, reason: Exception) -> None:
        """Attempt to connect until it succeeds, or something final stands against it."""
        for delay in self._delays:
            # A certificate may be renewed without this program, so that it isn't the end; but somebody has to know.
            level = logging.ERROR if isinstance(reason, TrustError | ConfigError) else logging.WARNING
            log.log(level, "%s: %s; the next attempt is in %.1f s", self.jid.bare, reason, delay)
            self._enter(ConnectionState.WAITING, reason=reason, retry_in=delay)
            await sleep(self.clock, delay)
            self._enter(ConnectionState.RESOLVING)
            try:
                await self._attempt()
            except Exception as error:
                if not isinstance(error, ChirrupError | OSError):
                    log.exception("an attempt to connect failed")
                reason = error
            else:
                break
            if self.final(reason):
                self._give_up(reason)
                break
        self._connecting = None

    # -- the end

    def _leave(self, link: Link, reason: Exception | None) -> None:
        self._link = None
        link.close()
        self._unlink(link, reason)

    def _lost(self, link: Link, reason: Exception) -> None:
        """The connection has ended, whoever ended it."""
        if link is not self._link:
            return
        self._fault = reason
        self._leave(link, reason)
        if self._parting:
            self._give_up(None)
        elif self.state is ConnectionState.ONLINE:  # else whoever is connecting finds out
            if self.reconnect and not self.final(reason):
                self._try_again(reason)
            else:
                self._give_up(reason)

    def _give_up(self, reason: Exception | None) -> None:
        self._finish(reason)
        self._online_since = None
        self._enter(ConnectionState.OFFLINE, reason=reason)
        self._states.close()

    async def close(self) -> None:
        """Close the stream in order, end what runs for it, and go offline. It may connect again after that."""
        connecting, self._connecting = self._connecting, None
        try:
            if connecting is not None and connecting is not asyncio.current_task():
                connecting.cancel()
                await asyncio.wait([connecting])
            if self._link is not None:
                await self._part(self._link)
        finally:
            if self.state is not ConnectionState.OFFLINE:
                self._give_up(None)
        await self._end_tasks()

    async def _part(self, link: Link) -> None:
        """Say farewell, and wait a little for the server's."""
        self._parting = True
        try:
            self._say_farewell(link)
            async with Deadline(self.clock, FAREWELL_SECONDS, "waiting for the end of the stream"):
                while self._link is link:
                    await self._changed()
        except DeadlineError:
            pass
        finally:
            self._parting = False
            if self._link is link:
                self._leave(link, None)

    def _say_farewell(self, link: Link) -> None:
        link.write(farewell())
        link.blocked = True  # nothing may stand behind it

    # -- tasks

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something in the background, for as long as it isn't closed; a failure is in the log."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            level = logging.INFO if isinstance(error, Disconnected) else logging.ERROR
            log.log(level, "a task failed: %s", error, exc_info=error if level == logging.ERROR else None)

    async def _end_tasks(self) -> None:
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        if others:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(others)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
