"""What one end of a stream has sent and the other hasn't acknowledged (XEP-0198 §4)."""

from __future__ import annotations

from collections import deque

from chirrup.core.errors import StreamError
from chirrup.core.features.resume.elements import LARGEST, NS


class Ledger:
    """The stanzas that one end has sent and may have to send again, oldest first, and both counts of the stream.

    Counts in here go on beyond 32 bits; where they are written they are cut to that.
    """

    __slots__ = ("acknowledged", "handled", "octets", "queue", "stamps")

    def __init__(self) -> None:
        self.handled = 0
        """How many of the other end's stanzas were handled here."""
        self.acknowledged = 0
        """How many of ours the other end has said to have handled."""
        self.queue: deque[bytes] = deque()
        """The others, as they were sent."""
        self.stamps: deque[float] = deque()
        """When each of those was first sent, in seconds since 1970."""
        self.octets = 0
        """How large they are together."""

    @property
    def sent(self) -> int:
        """How many stanzas were sent in all."""
        return self.acknowledged + len(self.queue)

    def add(self, stanza: bytes, stamp: float) -> int:
        """Keep a stanza that is sent now. What is returned is its number: it is acknowledged when `acknowledged` has
        got there."""
        self.queue.append(stanza)
        self.stamps.append(stamp)
        self.octets += len(stanza)
        return self.acknowledged + len(self.queue)

    def acknowledge(self, h: int) -> int:
        """Let go of what the other end has, by the count that it sent; how many stanzas that is. Raises StreamError."""
        count = self.check(h)
        queue, stamps = self.queue, self.stamps
        if count == len(queue):
            queue.clear()
            stamps.clear()
            self.octets = 0
        else:
            for _ in range(count):
                self.octets -= len(queue.popleft())
                stamps.popleft()
        self.acknowledged += count
        return count

    def check(self, h: int) -> int:
        """How many stanzas a count acknowledges; a count from before the last one says nothing new. StreamError for one
        of stanzas that were never sent (§6)."""
        count = (h - self.acknowledged) & LARGEST
        if count <= len(self.queue):
            return count
        if self.is_past(h):
            return 0
        sent = self.sent & LARGEST
        raise StreamError(
            "undefined-condition",
            f"you acknowledged {h} stanzas, but only {sent} were sent to you",
            app=f"{{{NS}}}handled-count-too-high",
            app_attributes={"h": str(h), "send-count": str(sent)},
        )

    def is_past(self, h: int) -> bool:
        """Whether this was a right count once, and was followed by a higher one: what came between is gone."""
        behind = (self.acknowledged - h) & LARGEST
        return 0 < behind <= min(self.acknowledged, LARGEST >> 1)

    def clear(self) -> list[tuple[bytes, float]]:
        """Take everything out, with when it was first sent."""
        taken = list(zip(self.queue, self.stamps, strict=True))
        self.queue.clear()
        self.stamps.clear()
        self.octets = 0
        return taken
