"""What answers a query: the messages that it finds, and what ends them (XEP-0313 §4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chirrup.core.jid import JID
from chirrup.core.values import format_datetime
from chirrup.core.xml import escape_attribute
from chirrup.ext.archive import NS
from chirrup.ext.archive.payloads import End, Fin, Metadata, Start
from chirrup.ext.archive.query import Asked, Found
from chirrup.ext.delay import NS as DELAY
from chirrup.ext.forwarding import NS as FORWARD
from chirrup.ext.rsm.pages import told
from chirrup.store.message_rows import Message, moment_of

_START: Final = len("<message")
_REST: Final = 300
"""Octets that an answer has around a message besides addresses and the query's id, about."""


class Envelope:
    """What is around each message of an answer: the same for all of them."""

    def __init__(self, *, owner: JID, to: JID, queryid: str | None) -> None:
        self._head = f"<message from='{escape_attribute(owner.text)}' to='{escape_attribute(to.text)}'>"
        self._query = "" if queryid is None else f" queryid='{escape_attribute(queryid)}'"

    @property
    def octets(self) -> int:
        return len(self._head.encode()) + len(self._query.encode()) + _REST

    def around(self, message: Message, uid: str) -> bytes:
        """A message, as it is written."""
        return f"{self._head}{result(message, uid, self._query)}</message>".encode()


def result(message: Message, uid: str, query: str = "") -> str:
    """A message of an archive. It is written where the default namespace may be another one than its own."""
    stamp = format_datetime(moment_of(message.id))
    return (
        f"<result xmlns='{NS}'{query} id='{uid}'><forwarded xmlns='{FORWARD}'><delay xmlns='{DELAY}' stamp='{stamp}'/>"
        f"<message xmlns='jabber:client'{message.value[_START:]}</forwarded></result>"
    )


def fin(found: Found, asked: Asked, uid: Callable[[int], str]) -> Fin:
    """What is said at the end."""
    messages, count, backwards = found.messages, found.count, asked.page.backwards
    index = None
    if asked.after is None and (found.complete or not backwards):
        index = 0
    elif count is not None and found.complete and not backwards:
        # Of the last page it isn't told to who begins there: slixmpp 1.17 would take it for the end of all.
        index = count - len(messages)
    ends = [uid(message.id) for message in (messages[:1] + messages[-1:])]
    return Fin(found.complete, set=told(ends, count=count, index=index))


def metadata(first: int | None, last: int | None, uid: Callable[[int], str]) -> Metadata:
    """What is told of an archive with these ends."""
    if first is None or last is None:
        return Metadata()
    return Metadata(Start(uid(first), moment_of(first)), End(uid(last), moment_of(last)))
