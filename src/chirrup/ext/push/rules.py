"""Which messages are worth waking somebody for."""

from __future__ import annotations

from typing import Final

from chirrup.core.xml import CLIENT, Element
from chirrup.ext import delay, jingle, omemo

_WORDS: Final = frozenset(
    {
        ("body", CLIENT),
        ("encrypted", omemo.OLD),
        ("encrypted", omemo.NS),
        ("openpgp", "urn:xmpp:openpgp:0"),
        ("x", "jabber:x:encrypted"),
        ("propose", jingle.MESSAGE),
        ("x", "jabber:x:conference"),
    }
)
"""Words, encrypted ones, a call, an invitation."""
_MUC_USER: Final = "http://jabber.org/protocol/muc#user"


def is_worth_it(message: Element) -> bool:
    """Whether somebody would like to hear of a message at once."""
    kind = message.get("type", "normal")
    if kind in ("error", "headline"):
        return False
    if kind == "groupchat":
        return message.child("body", CLIENT) is not None and message.child("delay", delay.NS) is None
    for one in message.elements():
        if (one.name, one.ns) in _WORDS or (one.ns == _MUC_USER and one.child("invite") is not None):
            return True
    return False
