"""What a client wants to have at once though nobody looks at it, and what may wait."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Hashable
from typing import Final

from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext import (
    attention,
    carbons,
    chat_states,
    delay,
    forwarding,
    hints,
    markers,
    nickname,
    receipts,
    stanza_ids,
)
from chirrup.ext.pubsub import EVENT

_SILENT: Final = frozenset({chat_states.NS, receipts.NS, markers.NS, hints.NS, carbons.NS, stanza_ids.NS, nickname.NS})
"""Namespaces of what a person need not be disturbed for."""
_TAG: Final = re.compile(rb"<(\w+)((?: [^\s=]+='[^']*')*)")
_ROOMS: Final = b"http://jabber.org/protocol/muc#user"
_OWN: Final = re.compile(rb"<status\s[^>]*code\s*=\s*[\"']110[\"']")
_ATTRIBUTE: Final = re.compile(rb" ([^\s=]+)='([^']*)'")


class Urgency(enum.Enum):
    """When a stanza is due."""

    NOW = "at once, and with it all that waits"
    SOON = "within a while"
    LATER = "when there is an occasion"


def kind_of(written: bytes) -> tuple[bytes, bytes, bytes]:
    """The name of a stanza as it is written to a client, its type and who sent it; empty where it doesn't say."""
    tag = _TAG.match(written)
    if tag is None:
        return b"", b"", b""
    attributes = dict(_ATTRIBUTE.findall(tag[2]))
    return tag[1], attributes.get(b"type", b""), attributes.get(b"from", b"")


def is_own_in_room(presence: bytes) -> bool:
    """Whether presence, as it is written, is the client's own in a room: a client that enters one waits for it, and one
    that is put out of it should know (XEP-0045 §7.2.2)."""
    return _ROOMS in presence and _OWN.search(presence) is not None


def is_replaceable(presence_type: bytes) -> bool:
    """Whether of presence of this type only the newest of each sender matters; any other is due at once."""
    return presence_type in (b"", b"unavailable")


def judge(
    message: Element, *, nicks: Callable[[JID], Collection[str]], urgent_nodes: Collection[str]
) -> tuple[Urgency, Hashable]:
    """When a message is due, and by what newer ones replace it, if by any.

    `nicks` gives the nicknames that the user has in a room, by the room's address."""
    for name in ("received", "sent"):
        copy = message.child(name, carbons.NS)
        if copy is not None:
            inner = _forwarded(copy)
            if inner is None:
                return Urgency.NOW, None
            urgency, key = judge(inner, nicks=nicks, urgent_nodes=urgent_nodes)
            if name == "sent" and urgency is Urgency.NOW:
                urgency = Urgency.SOON
            return urgency, key and (name, key)
    kind = message.get("type", "normal")
    if kind == "error" or message.child("delay", delay.NS) is not None:
        return Urgency.NOW, None  # what was kept comes when the client is ready for it
    body = message.child_text("body", CLIENT)
    if kind == "groupchat":
        return (_said_in_room(message, body, nicks) if body else Urgency.LATER), None
    if kind == "headline" and message.child("attention", attention.NS) is None:
        return (Urgency.SOON if body else _event(message, urgent_nodes)), None
    if body:
        return Urgency.NOW, None
    return _without_words(message, urgent_nodes)


def _forwarded(copy: Element) -> Element | None:
    around = copy.child("forwarded", forwarding.NS)
    return None if around is None else around.child("message", CLIENT)


def _said_in_room(message: Element, body: str, nicks: Callable[[JID], Collection[str]]) -> Urgency:
    words = body.casefold()
    room = JID.parse(message.get("from")).bare
    return Urgency.NOW if any(nick.casefold() in words for nick in nicks(room)) else Urgency.SOON


def _event(message: Element, urgent_nodes: Collection[str]) -> Urgency:
    event = message.child("event", EVENT)
    what = None if event is None else event.first
    return Urgency.NOW if what is not None and what.get("node") in urgent_nodes else Urgency.LATER


def _without_words(message: Element, urgent_nodes: Collection[str]) -> tuple[Urgency, Hashable]:
    """A chat message without a body, or a normal one."""
    if message.child("event", EVENT) is not None:
        return _event(message, urgent_nodes), None
    namespaces = {child.ns for child in message.elements() if (child.ns, child.name) != (CLIENT, "thread")}
    if not namespaces <= _SILENT:
        return Urgency.NOW, None
    if chat_states.NS in namespaces and not namespaces & {receipts.NS, markers.NS}:
        return Urgency.LATER, ("state", message.get("from"), message.get("to"))
    return Urgency.LATER, None
