"""Which messages are kept, and how they are written down."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Final

from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext import delay, hints
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.hints.payloads import Hint, hints_of

_CHAT_STATES: Final = "http://jabber.org/protocol/chatstates"

_SAYS_NOTHING: Final = frozenset({_CHAT_STATES, hints.NS, delay.NS, "urn:xmpp:sid:0"})
"""Namespaces of what accompanies a message and is none."""


class Fate(enum.Enum):
    """What becomes of a message that nobody can receive now."""

    KEEP = "it is kept"
    DROP = "it is forgotten: it would mean nothing later"
    REFUSE = "its sender is told that it didn't arrive"


def fate(message: Element) -> Fate:
    """What XEP-0160 §3 and the message's hints (XEP-0334 §4) make of a message."""
    kind = message.attrs.get("type", "normal")
    if kind in ("headline", "error"):
        return Fate.DROP
    if kind == "groupchat":
        return Fate.REFUSE
    wishes = hints_of(message)
    if kind == "chat" and _only_chat_states(message) and Hint.STORE not in wishes:
        return Fate.DROP
    return Fate.REFUSE if Hint.NO_STORE in wishes else Fate.KEEP


def _only_chat_states(message: Element) -> bool:
    state = False
    for child in message.elements():
        if child.ns == _CHAT_STATES:
            state = True
        elif child.ns not in _SAYS_NOTHING and (child.ns, child.name) != (CLIENT, "thread"):
            return False
    return state


def stamped(message: Element, host: JID, now: float) -> Element:
    """A copy of the message that says since when it waits; `now` in seconds since 1970.

    One delay is all that a message may have (XEP-0203 §2). One that came with it names the earlier moment and stays,
    unless it claims to be of this host, which has given none (§5)."""
    copy = message.copy()
    copy.children = [child for child in copy.children if not _claims_delay_by(child, host)]
    if copy.child(Delay.NAME, Delay.NS) is None:
        moment = datetime.fromtimestamp(round(now, 3), UTC)
        copy.append(Delay(moment, host, "Offline Storage").to_element())
    return copy


def _claims_delay_by(child: Element | str, host: JID) -> bool:
    if not isinstance(child, Element) or (child.name, child.ns) != (Delay.NAME, Delay.NS):
        return False
    try:
        return JID(child.get("from")) == host
    except AddressError:
        return False
