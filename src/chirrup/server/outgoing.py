"""What leaves a session towards its client: stanzas, answers, and how much of what it sent is dealt with.

Nothing that acknowledges a stanza leaves before what the stanza made the store write is stored: answers of a client
without stream management, which may take them for that, and `<a/>` with it (XEP-0198 §4).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import StanzaError, StoreError
from chirrup.core.features.resume import LARGEST
from chirrup.core.stanza import error_reply, may_bounce
from chirrup.core.xml import Element
from chirrup.server.management import nowhere

if TYPE_CHECKING:
    from chirrup.server.host import Host
    from chirrup.server.logs import Logger
    from chirrup.server.management import Managed
    from chirrup.server.session import Wire

_MAX_UNSETTLED: Final = 1000
"""Writes and answers behind them that may wait for the store, before the client isn't read any more; or, with stream
management, its messages aren't held any more while storage fails."""


class _Turn:
    """The place of a write among the answers that wait; `over` when it is stored, or its failure was told."""

    __slots__ = ("_outgoing", "number", "over", "stanza")

    def __init__(self, outgoing: Outgoing, stanza: Element, number: int) -> None:
        self._outgoing = outgoing
        self.stanza = stanza
        self.number = number
        """Which of the client's stanzas it is, as stream management counts them; 0 before that was switched on."""
        self.over = False

    def __call__(self, stored: asyncio.Future[Any]) -> None:
        error = None if stored.cancelled() else stored.exception()
        self._outgoing.stored(self, error)


class _Acknowledgement:
    """The place of an `<a/>` among the answers that wait, and how much it is of."""

    __slots__ = ("handled",)

    def __init__(self, handled: int) -> None:
        self.handled = handled


_Unsettled = deque[_Turn | _Acknowledgement | bytes]


class Outgoing:
    """The half of a session that faces its client."""

    __slots__ = (
        "_over", "_processed", "_queue", "_sent_before", "_settled", "_underway", "_unsettled", "answered", "closing",
        "host", "log", "management", "pass_on", "wire", "write",
    )  # fmt: skip

    def __init__(self, host: Host, wire: Wire, log: Logger) -> None:
        self.host = host
        self.wire = wire
        self.write: Callable[[bytes], None] = wire.write
        self.pass_on: Callable[[bytes], None] = wire.write
        self.log = log
        self.management: Managed | None = None
        """Its stream management (XEP-0198), once the client has switched that on."""
        self.closing = False
        """Whether the client has taken leave."""
        self._over = False
        self.answered = 0
        """Octets of answers, or of as much work, since others had their turn."""
        self._queue: deque[Element] | None = None  # what the client has sent and isn't processed
        self._underway = False  # whether that waits for a handler
        self._unsettled: _Unsettled | None = None  # writes to the store, and answers behind them
        self._processed: dict[int, str] | None = None  # ids of what was processed while storage fails, by number
        self._sent_before: dict[int, str] | None = None  # ids of what is sent again, and was processed
        self._settled: Callable[[], None] | None = None

    # -- towards the client

    def divert(self, to: Callable[[bytes], None]) -> None:
        """Give what is written to this session to `to`, one stanza a call, until `undivert`. It may write it later, by
        `pass_on`."""
        self.write = to

    def undivert(self) -> None:
        self.write = self.pass_on

    def manage(self, management: Managed) -> None:
        """From now on what is written is counted, and kept until the client has acknowledged it."""
        self.management = management
        self._lead(management.write)

    def connect(self, wire: Wire) -> None:
        """From now on what is written goes to this connection."""
        self.wire = wire
        if self.management is not None:
            self.management.out = wire.write
        else:
            self._lead(wire.write)

    def _lead(self, to: Callable[[bytes], None]) -> None:
        """Have what is written go there; what is diverted, when it is passed on."""
        diverted = self.write != self.pass_on
        self.pass_on = to
        if not diverted:
            self.write = to

    def when_acknowledged(self, callback: Callable[[], None]) -> bool:
        """Call this as soon as the client has acknowledged all that was written until now (XEP-0198 §4), which may be
        at once; never, if it doesn't before the session ends.

        False where the client has no stream management: then nobody will know, and nothing is called. Of stanzas that a
        module has diverted and holds back nothing is known either."""
        if self.management is None:
            return False
        self.management.when_acknowledged(callback)
        return True

    def acknowledge(self) -> None:
        """Tell the client how much of what it sent was handled, as soon as nothing of that waits for the store. While
        storage fails it is told how much is stored, which may be nothing new, and the rest when it works again."""
        management, unsettled = self.management, self._unsettled
        assert management is not None
        if not unsettled:
            self._write_acknowledgement(management.handled)
            return
        if self.host.store.holding:
            self._write_acknowledgement(self.dealt_with)
        if type(last := unsettled[-1]) is _Acknowledgement:
            last.handled = management.handled
        else:
            unsettled.append(_Acknowledgement(management.handled))

    def _write_acknowledgement(self, handled: int) -> None:
        self.wire.write(b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % (handled & LARGEST))

    @property
    def dealt_with(self) -> int:
        """How many of the client's stanzas are dealt with for good, as stream management counts them: what is returned,
        given to a receiver, or stored where it has to be."""
        assert self.management is not None
        count = self.management.handled - self._underway
        for turn in self._unsettled or ():
            if type(turn) is _Turn and not turn.over and turn.number:
                count = min(count, turn.number - 1)
        return count

    def storage_fails(self) -> None:
        """What waits for the store will do so for longer: who has asked what is acknowledged hears it now."""
        if self.management is not None and self._unsettled:
            if any(type(waiting) is _Acknowledgement for waiting in self._unsettled):
                self._write_acknowledgement(self.dealt_with)
            self._check_settled()

    def send(self, stanza: Element) -> None:
        """Write a stanza to the client."""
        self.write(stanza.to_bytes())

    def answer(self, stanza: Element) -> None:
        if stanza.name == "message":
            for note in self.host.hooks.message_refused:
                note(self, stanza)
        written = stanza.to_bytes()
        self.answered += len(written)
        unsettled = self._unsettled
        if not unsettled or self.management is not None:  # it has acknowledgements, and takes no answer for one
            self.write(written)
            return
        unsettled.append(written)
        if len(unsettled) >= _MAX_UNSETTLED:
            self.wire.pause_reading("storing")

    @property
    def patient(self) -> bool:
        return self.management is not None and (self._unsettled is None or len(self._unsettled) < _MAX_UNSETTLED)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        unsettled, management = self._unsettled, self.management
        if unsettled is None:
            unsettled = self._unsettled = _Unsettled()
        turn = _Turn(self, stanza, 0 if management is None else management.handled)
        unsettled.append(turn)
        if len(unsettled) >= _MAX_UNSETTLED and management is None:
            self.wire.pause_reading("storing")
        stored.add_done_callback(turn)

    def stored(self, turn: _Turn, error: BaseException | None) -> None:
        """A write is stored, or has failed."""
        if error is not None:
            if self._over:
                return  # nobody is left to be told
            self._bounce_unstored(turn.stanza, error)
        turn.over = True
        self._release()

    def _bounce_unstored(self, stanza: Element, error: BaseException) -> None:
        if not isinstance(error, StoreError):
            self.log.error("a stanza could not be stored", exc_info=error)
        if may_bounce(stanza):
            reply = error_reply(stanza, StanzaError("internal-server-error", "it could not be stored", type="wait"))
            self.write(reply.to_bytes())

    def _release(self) -> None:
        """Write the answers that wait for nothing any more."""
        unsettled = self._unsettled
        if unsettled is None:
            return
        full = len(unsettled) >= _MAX_UNSETTLED
        while unsettled:
            first = unsettled[0]
            if isinstance(first, _Turn) and not first.over:
                break
            unsettled.popleft()
            if isinstance(first, bytes):
                self.write(first)
            elif isinstance(first, _Acknowledgement):
                self._write_acknowledgement(first.handled)
        if full and len(unsettled) < _MAX_UNSETTLED:
            self.wire.resume_reading("storing")
        if not unsettled:
            self._unsettled = None
            self._processed = None
            if self._sent_before is not None and not self._over:
                self._all_came_again()
            self._check_settled()
        if self._over:
            self._remember()

    def all_processed(self) -> None:
        """Nothing that the client has sent waits behind a handler any more."""
        self._check_settled()
        if self._over:
            self._remember()

    def nothing_leaves(self) -> None:
        """The session is over: answers go nowhere; what is being stored still counts as sent."""
        self._settled = None
        if self._unsettled:
            self._unsettled = _Unsettled(turn for turn in self._unsettled if type(turn) is _Turn)
        self.write = self.pass_on = nowhere

    def _remember(self) -> None:
        """The session is over: keep for a client that asks how much of what it sent is dealt with by now."""
        if self.management is not None:
            self.host.resumable.remember(self.management, self.dealt_with, self._queue)

    def note_processed(self, stanza: Element, number: int) -> None:
        """A stanza is processed while storage fails: it isn't acknowledged, so it is sent again by who comes back. Many
        of them aren't all known then."""
        processed = self._processed = self._processed or {}
        if "id" in stanza.attrs and len(processed) < _MAX_UNSETTLED:
            processed[number] = stanza.attrs["id"]

    def count_anew(self) -> None:
        """The client comes back, and will send again what isn't stored, and what came behind that. It is known when it
        comes; what isn't stored waits for that in its former place."""
        unsettled, management = self._unsettled, self.management
        assert management is not None
        management.handled = handled = self.dealt_with
        if unsettled:
            turns = [turn for turn in unsettled if type(turn) is _Turn and turn.number > handled]
            ids = {number: id_ for number, id_ in (self._processed or {}).items() if number > handled}
            ids |= {turn.number: turn.stanza.attrs["id"] for turn in turns if "id" in turn.stanza.attrs}
            self._sent_before = (self._sent_before or {}) | ids
            self._unsettled = _Unsettled(waiting for waiting in unsettled if type(waiting) is not _Acknowledgement)

    def _all_came_again(self) -> None:
        """What the client sends again is stored: acknowledge it, as not all ask for that once more."""
        self._write_acknowledgement(self.dealt_with)
        if not self._sent_before:
            self._sent_before = None

    def has_come_before(self, stanza: Element, number: int) -> bool:
        """Whether the client sends again what has been processed, and waits for the store still."""
        known = self._sent_before
        assert known is not None
        identifier = known.pop(number, None)
        if identifier is None or identifier == stanza.attrs.get("id"):
            if not known and not self._unsettled:
                self._all_came_again()
            return identifier is not None
        # It sends something else. What was in its place is stored all the same, but no number tells of that.
        known.clear()
        self._processed = {before: id_ for before, id_ in (self._processed or {}).items() if before < number}
        for turn in self._unsettled or ():
            if type(turn) is _Turn and turn.number >= number:
                turn.number = 0
        return False

    def finish(self, then: Callable[[], None]) -> None:
        """Call `then`, as soon as what the client has sent is processed and answered. There will be no more of it: the
        stream ends."""
        self.closing = True
        self.settle(then)

    def settle(self, then: Callable[[], None]) -> None:
        """Call `then`, and nobody who was to be called before, as soon as what has come from the client is processed
        and answered. While storage fails it isn't waited for, where the client counts what is acknowledged."""
        self._settled = then
        self._check_settled()

    def _check_settled(self) -> None:
        then = self._settled
        if then is not None and self._is_settled:
            self._settled = None
            then()

    @property
    def _is_settled(self) -> bool:
        if self._queue is not None:
            return False
        return not self._unsettled or (self.management is not None and self.host.store.holding)

    def stop_writing(self) -> list[tuple[bytes, float, float]]:
        """The stream has ended: what is written from now on stands with what the client hasn't acknowledged or, where
        it acknowledges nothing, in the list that is returned, with the time."""
        left: list[tuple[bytes, float, float]] = []
        if self.management is not None:
            self.management.out = nowhere
        else:
            now = self.host.clock.monotonic()
            self._lead(lambda written: left.append((written, now, now)))
        return left
