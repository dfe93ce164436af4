"""What was said in a conversation, with what has become of it since: corrections, reactions, marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeVar

from chirrup.client.stanzas import Message
from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.record import record
from chirrup.ext.fallback.payloads import Fallback, without_fallback
from chirrup.ext.replies import NS as REPLIES
from chirrup.ext.replies.payloads import Reply
from chirrup.ext.stanza_ids.payloads import OriginId

P = TypeVar("P", bound=Payload)

MOST: Final = 500
"""So many lines of a conversation are remembered, the latest."""
MOST_REACTIONS: Final = 20
"""So many reactions of one person to a line count."""
_HISTORY: Final = 10
"""So many changes of one person's reactions to a line are remembered, in case they are refused."""

What = Literal["corrected", "retracted", "reacted", "displayed"]
_Key = tuple[bool, str]


@record
class Reacted:
    """All of a person's reactions to a line, as one message told them."""

    id: str
    """The message's."""
    at: datetime
    """When it was sent, as far as that is known."""
    emojis: tuple[str, ...]


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
    reacted: dict[JID, list[Reacted]] = field(default_factory=dict, repr=False)
    """How they came about, the last ones, by bare address."""
    aliases: list[_Key] = field(default_factory=list, repr=False)
    """What else it is called: by its origin id, and by that of its last correction."""

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
        self._aliases: dict[_Key, _Key] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._lines.values()))

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, message: Message, *, own: bool) -> None:
        """Remember a message. One with an id that the same side has used before changes nothing."""
        key = (own, message.id)
        if not message.id or key in self._lines:
            return
        line = self._lines[key] = Line(message, own, readable(message), _reply_to(message))
        origin = read(message, OriginId)
        if origin is not None and origin.id not in ("", message.id):
            self._call(line, origin.id)
        if len(self._lines) > MOST:
            self._forget_aliases(self._lines.pop(next(iter(self._lines))))

    def _call(self, line: Line, alias: str) -> None:
        self._aliases[line.own, alias] = (line.own, line.id)
        line.aliases.append((line.own, alias))

    def _forget_aliases(self, line: Line) -> None:
        for alias in line.aliases:
            if self._aliases.get(alias) == (line.own, line.id):
                del self._aliases[alias]
        line.aliases.clear()

    def of(self, id_: str, *, own: bool) -> Line | None:
        """The line that one side gave this id, be it as origin id (XEP-0359), or the id of its last correction."""
        key = (own, id_)
        return self._lines.get(key) or self._lines.get(self._aliases.get(key, key))

    def find(self, id_: str) -> Line | None:
        """The line with that id, whoever said it."""
        return self.of(id_, own=True) or self.of(id_, own=False)

    def correct(self, id_: str, message: Message, *, own: bool) -> Change | None:
        line = self.of(id_, own=own)
        if line is None or line.retracted:
            return None
        self._forget_aliases(line)
        origin = read(line.message, OriginId)
        for alias in dict.fromkeys((message.id, "" if origin is None else origin.id)):
            if alias not in ("", line.id):
                self._call(line, alias)
        line.corrected, line.body = message, readable(message)
        return Change("corrected", line)

    def retract(self, id_: str, *, own: bool) -> Change | None:
        line = self.of(id_, own=own)
        if line is None or line.retracted:
            return None
        line.retracted, line.body = True, ""
        line.reactions.clear()
        line.reacted.clear()
        return Change("retracted", line)

    def react(self, id_: str, who: JID, reacted: Reacted, *, delayed: bool = False) -> Change | None:
        """Somebody's reactions to a line are others now, unless that comes late and they have changed since (XEP-0444
        §4.1)."""
        line = self.find(id_)
        if line is None or line.retracted:
            return None
        history = line.reacted.setdefault(who, [])
        if delayed and history and history[-1].at > reacted.at:
            return None
        history.append(reacted)
        del history[:-_HISTORY]
        return _react(line, who)

    def refuse_reaction(self, id_: str, who: JID) -> Change | None:
        """The message with that id, which changed somebody's reactions, was returned: they are as before (XEP-0444
        §3.3)."""
        for line in self._lines.values():
            history = line.reacted.get(who, [])
            for reacted in history:
                if reacted.id == id_:
                    history.remove(reacted)
                    return _react(line, who)
        return None

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


def _react(line: Line, who: JID) -> Change | None:
    """Let somebody's last reactions be those to see; what has changed by that, if anything."""
    history = line.reacted[who]
    kept = tuple(dict.fromkeys(history[-1].emojis))[:MOST_REACTIONS] if history else ()
    if line.reactions.get(who, ()) == kept:
        return None
    if kept:
        line.reactions[who] = kept
    else:
        line.reactions.pop(who, None)
    return Change("reacted", line)


def read(message: Message, payload: type[P]) -> P | None:
    """What a message has of that; None where it is malformed."""
    try:
        return message.get(payload)
    except PayloadError:
        return None


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
    reply = read(message, Reply)
    return reply.id if reply is not None else ""
