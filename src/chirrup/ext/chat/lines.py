"""What was said in a conversation, with what has become of it since: corrections, reactions, marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from chirrup.client.stanzas import Message
from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.fallback.payloads import Fallback, without_fallback
from chirrup.ext.replies import NS as REPLIES
from chirrup.ext.replies.payloads import Reply

MOST: Final = 500
"""So many lines of a conversation are remembered, the latest."""
MOST_REACTIONS: Final = 20
"""So many reactions of one person to a line count."""

What = Literal["corrected", "retracted", "reacted", "displayed"]
_Key = tuple[bool, str]


@dataclass(slots=True, eq=False)
class Line:
    """Something that was said, as it stands now."""

    message: Message
    """What was sent first."""
    own: bool
    """Whether the own account said it."""
    body: str
    """What it says now, without what stands in for extensions that are understood; "" if it was taken back."""
    reply_to: str = ""
    """The id of the message that this is a reply to."""
    corrected: Message | None = None
    """The last correction."""
    retracted: bool = False
    displayed: bool = False
    """Whether the other side has seen it; of an own line."""
    reactions: dict[JID, tuple[str, ...]] = field(default_factory=dict)
    """By bare address."""

    @property
    def id(self) -> str:
        return self.message.id


@record
class Change:
    """What has become of a line."""

    what: What
    line: Line


class Lines:
    """The latest lines, by id and side: each side names its own messages, and only that side can change them."""

    def __init__(self) -> None:
        self._lines: dict[_Key, Line] = {}
        self._corrections: dict[_Key, _Key] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._lines.values()))

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, message: Message, *, own: bool) -> None:
        """Remember a message. One with an id that the same side has used before changes nothing."""
        key = (own, message.id)
        if not message.id or key in self._lines:
            return
        self._lines[key] = Line(message, own, readable(message), _reply_to(message))
        if len(self._lines) > MOST:
            old = self._lines.pop(next(iter(self._lines)))
            self._forget_correction(old)

    def of(self, id_: str, *, own: bool) -> Line | None:
        """The line that one side gave this id, or the id of its last correction."""
        key = (own, id_)
        return self._lines.get(key) or self._lines.get(self._corrections.get(key, key))

    def find(self, id_: str) -> Line | None:
        """The line with that id, whoever said it."""
        return self.of(id_, own=True) or self.of(id_, own=False)

    def correct(self, id_: str, message: Message, *, own: bool) -> Change | None:
        line = self.of(id_, own=own)
        if line is None or line.retracted:
            return None
        self._forget_correction(line)
        if message.id:
            self._corrections[own, message.id] = (own, line.id)
        line.corrected, line.body = message, readable(message)
        return Change("corrected", line)

    def retract(self, id_: str, *, own: bool) -> Change | None:
        line = self.of(id_, own=own)
        if line is None or line.retracted:
            return None
        line.retracted, line.body = True, ""
        line.reactions.clear()
        return Change("retracted", line)

    def react(self, id_: str, who: JID, emojis: tuple[str, ...]) -> Change | None:
        line = self.find(id_)
        kept = tuple(dict.fromkeys(emojis))[:MOST_REACTIONS]
        if line is None or line.retracted or line.reactions.get(who, ()) == kept:
            return None
        if kept:
            line.reactions[who] = kept
        else:
            line.reactions.pop(who, None)
        return Change("reacted", line)

    def display(self, id_: str) -> Change | None:
        """The other side has seen an own line, and all before it."""
        line = self.of(id_, own=True)
        if line is None or line.displayed:
            return None
        for one in self._lines.values():
            if one.own:
                one.displayed = True
            if one is line:
                break
        return Change("displayed", line)

    def _forget_correction(self, line: Line) -> None:
        if line.corrected is not None:
            self._corrections.pop((line.own, line.corrected.id), None)


def readable(message: Message) -> str:
    """The text of a message, without the quotation that stands in for a reply's reference."""
    body = message.body
    if body and message.has(Reply) and message.has(Fallback):
        try:
            fallbacks = [Fallback.parse(one) for one in message.element.elements(Fallback.NAME, Fallback.NS)]
        except PayloadError:
            return body
        return without_fallback(body, tuple(fallbacks), frozenset({REPLIES}))
    return body


def _reply_to(message: Message) -> str:
    try:
        reply = message.get(Reply)
    except PayloadError:
        return ""
    return reply.id if reply is not None else ""
