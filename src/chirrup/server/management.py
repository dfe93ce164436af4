"""Stream management of sessions (XEP-0198 §4): both counts, what may have to be sent again, and when to ask for it.

With it on, `Managed.write` stands in the session's `pass_on`, and so sees each stanza that is written to the client, in
its order. `<r/>` and `<a/>` go to the connection directly.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import PayloadError, StanzaError, StreamError
from chirrup.core.features.resume import NS, Enable, Enabled, Ledger, failed, read_handled, request
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.server.pacing import Pacer
    from chirrup.server.session import Session

_ASK_AFTER: Final = 64
"""Stanzas after which a client is asked at once what it has; each question costs about as much as a stanza."""
_REQUEST: Final = request().to_bytes()


class Managed(Ledger):
    """The stream management of one session."""

    __slots__ = (
        "_again", "_asked", "_attend_at", "_most_octets", "_pacer", "_places", "_time", "_waiting", "id", "out",
        "seconds", "session",
    )  # fmt: skip

    def __init__(self, session: Session, pacer: Pacer) -> None:
        super().__init__()
        self.session = session
        self.id = ""
        """The name under which the session can be resumed; "" where it can't."""
        self.seconds = 0
        """For how long it can be, once the connection is gone."""
        self.out: Callable[[bytes], None] = session.wire.write
        """Writes to the connection, uncounted."""
        self._pacer = pacer
        self._time = session.host.clock.monotonic
        self._most_octets = session.host.server.config.limits.send_buffer_bytes
        self._attend_at = 1
        self._asked = False
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._places: _Places | None = None
        self._again: dict[int, float] = {}  # by number, when others were given anew what isn't acknowledged

    # -- towards the client

    def write(self, stanza: bytes) -> None:
        """Keep a stanza and write it: the hot path."""
        queue = self.queue
        queue.append(stanza)
        self.stamps.append(self._time())
        self.octets = octets = self.octets + len(stanza)
        self.out(stanza)
        if len(queue) >= self._attend_at or octets > self._most_octets:
            self._attend()

    def _attend(self) -> None:
        """Something is due: the first stanza after silence, many, or too many."""
        if self.octets > self._most_octets or self.session.detached:
            self._attend_at = self._most_octets = sys.maxsize
            self.session.log.info("too much waits for an acknowledgement", stanzas=len(self.queue), octets=self.octets)
            self.session.give_up()
        elif len(self.queue) < _ASK_AFTER:
            self._attend_at = _ASK_AFTER
            self._pacer.watch(self)
        else:
            self.ask()

    def ask(self) -> None:
        """Ask the client what it has, unless it was asked and hasn't answered yet."""
        if not self._asked and self.queue and not self.session.detached:
            self._asked = True
            self._attend_at = sys.maxsize
            self.out(_REQUEST)
            self._pacer.asked(self)

    def answered(self, h: int) -> None:
        """The client says how many stanzas it has. StreamError where it can't have as many."""
        count = self.acknowledge(h)
        self._places = None
        if self._again:
            self._again = {number: time for number, time in self._again.items() if number > self.acknowledged}
        self._asked = False
        self._pacer.forget(self)
        if count:
            self._tell()
        if not self.queue:
            self._attend_at = 1
        elif self._waiting and count:
            self.ask()
        else:
            self._attend_at = len(self.queue) + _ASK_AFTER
            self._pacer.watch(self)

    def _tell(self) -> None:
        """Tell those who want to know that the client has more than before."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= self.acknowledged:
            waiting.popleft()[1]()
        self.session.tell(self.session.host.hooks.session_acknowledged)

    def when_acknowledged(self, callback: Callable[[], None]) -> None:
        """Call this when the client has what was written until now; never, if it doesn't say so."""
        if self.queue:
            self._waiting.append((self.sent, callback))
            self.ask()
        else:
            callback()

    def replace(self, old: bytes, new: bytes) -> None:
        """If the client hasn't acknowledged a stanza, have another in its place, should it have to be sent again, which
        others are given now."""
        places = self._places
        if places is None:
            places = self._places = _Places(self.acknowledged)
        number = places.take(old, self)
        if number:
            self.queue[number - self.acknowledged - 1] = new
            self._again[number] = self._time()
            places.put(new, number)
            self.octets += len(new) - len(old)

    def silent(self) -> None:
        """The client doesn't answer: it is taken for dead."""
        self.session.log.info("the client doesn't acknowledge", stanzas=len(self.queue))
        self.session.wire.abort()

    # -- without and with a connection

    def pause(self) -> None:
        """The connection is gone; what is written waits."""
        limits = self.session.host.server.config.limits
        self.out = nowhere
        self._asked = False
        self._pacer.forget(self)
        self._attend_at = limits.unacknowledged_stanzas + 1
        self._most_octets = limits.unacknowledged_bytes
        if len(self.queue) >= self._attend_at or self.octets > self._most_octets:
            self._attend()

    def go_on(self, h: int, out: Callable[[bytes], None]) -> None:
        """There is a connection again, whose client has so many stanzas: send it what it lacks, and ask for it."""
        self._places = None
        if self.acknowledge(h):
            self._tell()
        self.out = out
        self._most_octets = max(self.session.host.server.config.limits.send_buffer_bytes, 2 * self.octets)
        for stanza in self.queue:
            out(stanza)
        self._attend_at = 1
        self.ask()

    def stop(self) -> list[tuple[bytes, float, float]]:
        """The session is over: what it leaves, with when it was first sent, and when it or others were given it last,
        by the clock that never goes back."""
        self._pacer.forget(self)
        self._waiting.clear()
        self._places = None
        self.out = nowhere
        left, again = enumerate(self.clear(), self.acknowledged + 1), self._again
        return [(stanza, sent, again.get(number, sent)) for number, (stanza, sent) in left]


class _Places:
    """Where each stanza stands that a client hasn't acknowledged: who replaces many looks through all of them
    once. Good until the client acknowledges some."""

    __slots__ = ("_known", "_seen")

    def __init__(self, acknowledged: int) -> None:
        self._known: dict[bytes, list[int]] = {}
        self._seen = acknowledged

    def put(self, stanza: bytes, number: int) -> None:
        """One was replaced by that."""
        self._known.setdefault(stanza, []).append(number)

    def take(self, stanza: bytes, ledger: Ledger) -> int:
        """The number of the first that reads so, which isn't found again; 0 if there is none."""
        for written in islice(ledger.queue, self._seen - ledger.acknowledged, None):
            self._seen += 1
            self._known.setdefault(written, []).append(self._seen)
        numbers = self._known.get(stanza)
        return numbers.pop(0) if numbers else 0


def nowhere(data: bytes) -> None:
    """Where nobody listens."""


# -- a client's elements, after binding


def enable(session: Session, element: Element) -> Element:
    """Switch stream management on, as `<enable/>` asks for: the `<enabled/>` or `<failed/>` to send. Everything that is
    written to the session from now on counts, so the answer has to leave before."""
    if session.management is not None:
        return failed(StanzaError("unexpected-request"))
    try:
        wanted = Enable.parse(element)
    except PayloadError as error:
        return failed(StanzaError("bad-request", str(error)))
    host = session.host
    managed = Managed(session, host.pacer)
    answer = host.resumable.add(managed, wanted.max) if wanted.resume else Enabled()
    session.manage(managed)
    return answer.to_element()


def _enable(session: Session, element: Element) -> None:
    again = session.management is not None
    write = session.wire.write
    write(enable(session, element).to_bytes())
    if again:
        raise StreamError("policy-violation", "stream management is on already")


def _request(session: Session, element: Element) -> None:
    if session.management is None:
        _too_early(session, element)
    else:
        session.acknowledge()


def _answer(session: Session, element: Element) -> None:
    if session.management is None:
        _too_early(session, element)
    else:
        session.management.answered(read_handled(element))


def _too_early(session: Session, element: Element) -> None:
    """Or too late: it isn't the time for that."""
    session.wire.write(failed(StanzaError("unexpected-request")).to_bytes())


NONZAS: Final[dict[tuple[str, str], Callable[[Session, Element], None]]] = {
    ("enable", NS): _enable,
    ("r", NS): _request,
    ("a", NS): _answer,
    ("resume", NS): _too_early,
}
INLINE: Final[dict[tuple[str, str], Callable[[Session, Element], Element | None]]] = {("enable", NS): enable}
