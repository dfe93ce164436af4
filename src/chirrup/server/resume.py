"""Sessions that outlive their connection, and coming back to them (XEP-0198 §5)."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import OrderedDict, deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from chirrup.core.errors import StanzaError, StreamError
from chirrup.core.features.resume import Enabled
from chirrup.core.jid import JID
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.net.clock import Timer
    from chirrup.server.host import Host
    from chirrup.server.logs import Logger
    from chirrup.server.management import Managed
    from chirrup.server.session import Session, Wire

_REMEMBERED: Final = 10_000
"""Sessions that are over whose clients can still be told how much was handled (§5); the oldest goes first."""
_PATIENCE: Final = 10.0
"""Seconds that a client who comes back waits, at most, for what it sent before to be settled."""


class NotResumable(Exception):  # noqa: N818 - reads as the condition it is
    """There is no such session to go on with; `handled` where there was."""

    def __init__(self, error: StanzaError, handled: int | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.handled = handled


class Absent:
    """The connection of a session whose client is gone and may come back: nothing is written, and what would end the
    stream ends the session."""

    __slots__ = ("_session", "since", "timer")
    congested: Final = False
    peer: Final = ""

    def __init__(self, session: Session, timer: Timer, since: float) -> None:
        """`timer` ends the session; `since` is when the connection was lost, on the clock that never goes back."""
        self._session = session
        self.timer = timer
        self.since = since

    def write(self, data: bytes) -> None: ...
    def pause_reading(self, why: str) -> None: ...
    def resume_reading(self, why: str) -> None: ...
    def abort(self) -> None: ...
    def hand_over(self) -> None: ...

    def fail(self, error: StreamError) -> None:
        self._session.end()

    def failed(self, error: StreamError) -> None:
        self._session.end()


class Resumable:
    """The sessions of a host that can be resumed, by the name that their clients were given."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sessions: dict[str, Session] = {}
        self._claims: dict[str, _Claim] = {}
        self._over: OrderedDict[str, _Over] = OrderedDict()
        self._due: deque[tuple[Session, Wire]] = deque()
        self._ends = False  # whether one has ended in this turn of the loop for lack of its client

    def add(self, managed: Managed, wanted: int | None) -> Enabled:
        """Let a session be resumed, for the seconds that its client would like at most; what it is told."""
        config = self._host.server.config
        seconds = min(config.limits.resumption_seconds, wanted or config.limits.resumption_seconds)
        if not seconds or self._host.anonymous:  # a guest can't show to be the same
            return Enabled()
        managed.id, managed.seconds = secrets.token_urlsafe(24), seconds
        self._sessions[managed.id] = managed.session
        return Enabled(managed.id, True, seconds, config.listen.resume_location or None)

    def remove(self, managed: Managed, handled: int, queue: deque[Element] | None) -> None:
        """A session is over. How much it handled can be told later; `queue` is what is still going to be."""
        if self._sessions.pop(managed.id, None) is None:
            return
        claim = self._claims.pop(managed.id, None)
        if claim is not None and claim.settled.done():
            claim.wire.fail(StreamError("reset", "the session ended before it could be resumed"))
        elif claim is not None:
            claim.go_on()
        self._over[managed.id] = _Over(managed.session.account.jid, handled, queue)
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    def remember(self, managed: Managed, handled: int, queue: deque[Element] | None) -> None:
        """More of what a session that is over was sent is dealt with."""
        if managed.id in self._over:
            self._over[managed.id] = _Over(managed.session.account.jid, handled, queue)

    async def claim(self, account: JID, previd: str, h: int, wire: Wire) -> Session:
        """The session that this account's client may go on with on `wire`, once all that it sent before is settled. One
        where that takes too long, as while nothing can be stored, is ended instead: the client needs one.

        Whoever had the session until now, or was coming back to it, gets a "conflict". Raises NotResumable, or the
        StreamError that ends the client's stream."""
        session = self._find(account, previd, h)
        managed = session.management
        assert managed is not None
        earlier = self._claims.pop(previd, None)
        if earlier is not None:
            earlier.wire.fail(_elsewhere())
            earlier.go_on()
        claim = self._claims[previd] = _Claim(wire)
        if not session.detached:
            session.wire.hand_over()
            detach(session)
        session.settle(claim.go_on)
        timer = self._host.clock.call_later(_PATIENCE, partial(self._too_slow, session, claim))
        await claim.settled
        timer.cancel()
        try:
            session = self._find(account, previd, h)
            if self._claims.get(previd) is claim:  # else somebody else is coming back to it by now
                session.count_anew()
            return session
        except BaseException:
            if self._claims.get(previd) is claim:
                del self._claims[previd]
            raise

    def expire(self, session: Session) -> None:
        """Nobody has come back to a session in time. One ends in each turn of the loop: where a whole network has
        failed they are due together, and everybody else would wait for the last of them."""
        if self._ends:
            self._due.append((session, session.wire))
            return
        self._ends = True
        asyncio.get_running_loop().call_soon(self._expire_next)
        session.expire()

    def _expire_next(self) -> None:
        self._ends = False
        while self._due and not self._ends:
            session, absent = self._due.popleft()
            managed = session.management
            if session.wire is absent and managed is not None and managed.id in self._sessions:  # as it was till now
                self.expire(session)

    def attached(self, managed: Managed) -> None:
        """Whoever claimed the session last has it now."""
        self._claims.pop(managed.id, None)

    def _too_slow(self, session: Session, claim: _Claim) -> None:
        if not claim.settled.done():
            session.log.warning("what a client has sent isn't settled: its session can't be resumed")
            session.end()

    def _find(self, account: JID, previd: str, h: int) -> Session:
        if not self._host.server.config.limits.resumption_seconds:
            raise NotResumable(StanzaError("feature-not-implemented"))
        session = self._sessions.get(previd)
        if session is None or session.account.jid != account:
            raise NotResumable(StanzaError("item-not-found"), self._told(account, previd))
        managed = session.management
        assert managed is not None
        if managed.is_past(h) and session.detached:  # what its client lacks is gone: others shall have the rest
            session.end()
            return self._find(account, previd, h)
        if managed.is_past(h) or session.closing:
            raise NotResumable(StanzaError("item-not-found"))
        managed.check(h)
        return session

    def _told(self, account: JID, previd: str) -> int | None:
        """How much was handled of what a session was sent that is over. The client sends the rest again, if it asks for
        that: so what has been waiting for its turn until now isn't processed besides."""
        over = self._over.get(previd)
        if over is None or over.account != account:
            return None
        if over.queue:
            over.queue.clear()
        return over.handled


class _Claim:
    """Somebody who is coming back to a session, and waits until what it sent before is settled."""

    __slots__ = ("settled", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        """Wait no longer."""
        if not self.settled.done():
            self.settled.set_result(None)


class _Over(NamedTuple):
    """What is known of a session that is over."""

    account: JID
    handled: int
    queue: deque[Element] | None
    """What its client has sent and waits for its turn."""


def detach(session: Session) -> None:
    """The connection is gone: wait for the client to come back."""
    managed, host = session.management, session.host
    assert managed is not None
    clock = host.clock
    expire = partial(host.resumable.expire, session)
    session.wire = Absent(session, clock.call_later(managed.seconds, expire), clock.monotonic())
    session.clear()
    managed.pause()
    session.log.info("session detached", seconds=managed.seconds, stanzas=len(managed.queue))
    session.tell(host.hooks.session_detached)


def attach(session: Session, wire: Wire, h: int, log: Logger, *, secure: bool) -> None:
    """The client is back, on another connection, on which `<resumed/>` has been written."""
    managed, absent = session.management, session.wire
    assert managed is not None
    assert isinstance(absent, Absent)
    session.host.resumable.attached(managed)
    absent.timer.cancel()
    session.wire, session.log, session.secure = wire, log, secure
    managed.go_on(h, wire.write)
    session.log.info("session resumed", stanzas=len(managed.queue))
    session.tell(session.host.hooks.session_resumed)


def away_since(session: Session) -> float:
    """When its connection was lost, to see which session has been without one for longest; endless where it has one."""
    return session.wire.since if isinstance(session.wire, Absent) else math.inf


def _elsewhere() -> StreamError:
    return StreamError("conflict", "the session was resumed on another connection")
