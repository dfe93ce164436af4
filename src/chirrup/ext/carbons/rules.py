"""Which messages are copied (XEP-0280 §6.1), and which pretend to be copies."""

from __future__ import annotations

from typing import Final

from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext import chat_states, hints, markers, receipts
from chirrup.ext.carbons import NS

_MUC_USER: Final = "http://jabber.org/protocol/muc#user"
_DIRECT_INVITATION: Final = "jabber:x:conference"

_TALK: Final = frozenset({receipts.NS, chat_states.NS, markers.NS, _DIRECT_INVITATION})
"""Namespaces of what makes a message one of a conversation, whatever its type."""
_COPIES: Final = frozenset({"sent", "received"})


def is_eligible(message: Element, *, received: bool) -> bool:
    """Whether a message that the account has received, or else sent, is to be copied.

    An error isn't, as far as can be seen from itself: it matters what it answers."""
    kind = message.attrs.get("type", "normal")
    if kind in ("groupchat", "error"):
        return False
    eligible = kind == "chat"
    for child in message.children:
        if isinstance(child, str):
            continue
        ns = child.ns
        if ns == CLIENT:
            if kind == "normal" and child.name == "body":
                eligible = True
        elif ns == NS or (ns == hints.NS and child.name == "no-copy"):
            return False
        elif ns in _TALK:
            eligible = True
        elif ns == _MUC_USER and child.child("invite") is None:
            # a private message in a room; the room itself gives those who are sent one to all of the nick's clients
            if received and "/" in message.attrs.get("from", ""):
                return False
            if not received and "/" in message.attrs.get("to", ""):
                eligible = True
        elif ns == _MUC_USER:
            eligible = True
    return eligible


def is_private_in_room(message: Element, to: JID) -> bool:
    """Whether a message that is sent goes to one occupant of a room."""
    if not to.resource:
        return False
    room = message.child("x", _MUC_USER)
    return room is not None and room.child("invite") is None


def pretends_to_be_copy(message: Element) -> bool:
    """Whether a message contains what only an account's own server says (XEP-0280 §11)."""
    for child in message.children:
        if isinstance(child, str) or child.ns != NS:
            continue
        if child.name in _COPIES:
            return True
    return False
