"""Stream management at a client (XEP-0198): when to ask what the server has, and what outlives a connection."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from typing import Final

from chirrup.client.link import Link
from chirrup.core.features.resume import Management
from chirrup.core.values import format_datetime
from chirrup.core.xml import CLIENT, Element, serialise
from chirrup.net.clock import Clock, Timer

log: Final = logging.getLogger("chirrup.client")

ASK_AFTER: Final = 20
"""Stanzas after which the server is asked what it has."""
ASK_SECONDS: Final = 5.0
"""After how long it is asked where there are fewer."""
MOST: Final = 2000
"""Stanzas that may be without an acknowledgement before sending waits for one."""
_DELAY: Final = "urn:xmpp:delay"
_TAKEN_ANYWHERE: Final = 10_000
"""Octets of a stanza that every server takes (RFC 6120 §13.12)."""


class Managed:
    """A client's session, as far as it outlives its connection: the counts, and the stanzas that may have to be sent
    again."""

    __slots__ = ("_asked", "_clock", "_link", "_max_bytes", "_timer", "_waiting", "management")

    def __init__(self, clock: Clock, *, resume: bool) -> None:
        self.management = Management(resume=resume)
        self._clock = clock
        self._link: Link | None = None
        self._max_bytes = _TAKEN_ANYWHERE
        self._timer: Timer | None = None
        self._asked = 0  # what had been sent when the server was asked last
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def may_resume(self) -> bool:
        return bool(self.management.id)

    def begin(self, link: Link, max_bytes: int | None) -> None:
        """Stanzas go this way from now on, once the server has said that it counts them. They may have so many octets,
        as far as that is known."""
        self._link = link
        self._max_bytes = max_bytes or _TAKEN_ANYWHERE
        self._asked = self.management.ledger.acknowledged
        self._go_on(link)
        self._tell()

    def _go_on(self, link: Link) -> None:
        """Send the messages of a session that couldn't be resumed, before anybody sends a later one: who gets one twice
        sees that by its id. Requests and presence meant the old session."""
        if not self.management.pending:
            lost, self.management.lost = self.management.lost, []
            for octets, stamp in lost:
                if octets.startswith(b"<message"):
                    delayed = self._delayed(octets, stamp)
                    link.write(delayed)
                    self.sent(delayed)
        self._block(link)

    def _delayed(self, octets: bytes, stamp: float) -> bytes:
        """A message with the moment when it was sent at first (XEP-0198 §4), if it doesn't have that already and the
        server takes it with that."""
        if not octets.endswith(b"</message>") or _DELAY.encode() in octets:
            return octets
        moment = format_datetime(datetime.fromtimestamp(stamp, UTC))
        delay = Element("delay", _DELAY, from_=self.management.jid, stamp=moment)
        delayed = octets[: -len(b"</message>")] + serialise(delay, CLIENT).encode() + b"</message>"
        return delayed if len(delayed) <= self._max_bytes else octets

    def send_again(self, link: Link, max_bytes: int | None) -> None:
        """The session was resumed: send what the server lacks, before anything else."""
        for octets in self.management.unacknowledged:
            link.write(octets)
        self.begin(link, max_bytes)
        if self.management.ledger.queue:
            self._ask()

    def sent(self, stanza: bytes) -> None:
        number = self.management.sent(stanza, self._clock.time())
        if number - self._asked >= ASK_AFTER:
            self._ask()
            if self._link is not None:
                self._block(self._link)
        elif number and self._timer is None:
            self._timer = self._clock.call_later(ASK_SECONDS, self._ask_late)

    def _ask_late(self) -> None:
        self._timer = None
        if self.management.ledger.queue:
            self._ask()

    def _ask(self) -> None:
        self._asked = self.management.ledger.sent
        if self._link is not None:
            self._link.write(self.management.ask())

    def handle(self, element: Element) -> None:
        """Take what the server says of it. Raises StreamError."""
        answer = self.management.handle(element)
        self._tell()
        if self._waiting and self._timer is None:  # the server has answered; it knows more later
            self._timer = self._clock.call_later(ASK_SECONDS, self._ask_late)
        link = self._link
        if link is not None:
            if answer:
                link.write(answer)
            if link.blocked:
                self._go_on(link)
                link.wake()

    def settled(self) -> asyncio.Future[None]:
        """Done when the server has acknowledged all that was sent until now, or nobody counts."""
        future = asyncio.get_running_loop().create_future()
        ledger = self.management.ledger
        if ledger.queue:
            self._waiting.append((ledger.sent, future))
            self._ask()
        else:
            future.set_result(None)
        return future

    def _tell(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.management.ledger.acknowledged:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_result(None)

    def fail(self, reason: Exception) -> None:
        """The session is over: nothing of it will be acknowledged any more."""
        while self._waiting:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(reason)

    def _block(self, link: Link) -> None:
        """Let there be no room while too much isn't acknowledged, or nothing would be."""
        link.blocked = self.management.pending or len(self.management.ledger.queue) >= MOST

    def lost_link(self) -> None:
        self._rest()
        self.management.disconnected()

    def part(self) -> None:
        """The stream is about to be closed in order: say what was handled, and have the server say so."""
        if self._link is not None:
            self._link.write(self.management.acknowledge() + self.management.ask())
        self._rest()

    def end(self) -> None:
        """There is no coming back."""
        self._rest()
        self.management.ended()
        if self.management.lost:
            log.warning("%d stanzas were sent that no server has acknowledged", len(self.management.lost))
            self.management.lost.clear()

    def _rest(self) -> None:
        self._link = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
