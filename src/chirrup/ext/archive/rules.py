"""Which messages belong in an archive (XEP-0313 §6.1.1), as their hints ask (XEP-0334 §4)."""

from __future__ import annotations

from typing import Final

from chirrup.core.xml import CLIENT, Element
from chirrup.ext import hints, jingle, markers, omemo, reactions, receipts, retraction
from chirrup.ext.hints.payloads import Hint, hints_of

_KEPT: Final = frozenset({"body", "subject"})
_PART_OF_CONVERSATION: Final = frozenset(
    {
        ("received", receipts.NS),
        ("received", markers.NS),
        ("displayed", markers.NS),
        ("acknowledged", markers.NS),
        ("reactions", reactions.NS),
        ("retract", retraction.NS),
        ("apply-to", "urn:xmpp:fasten:0"),
        ("encrypted", omemo.OLD),
        ("encrypted", omemo.NS),
        ("encryption", "urn:xmpp:eme:0"),
        ("x", "jabber:x:conference"),
        ("x", "jabber:x:encrypted"),
        ("propose", jingle.MESSAGE),
        ("accept", jingle.MESSAGE),
        ("proceed", jingle.MESSAGE),
        ("reject", jingle.MESSAGE),
        ("retract", jingle.MESSAGE),
        ("finish", jingle.MESSAGE),
    }
)
"""What another device has to know of, though it may come without a body."""
_STORE: Final = frozenset({Hint.STORE})
_MUC_USER: Final = "http://jabber.org/protocol/muc#user"


def is_archived(message: Element) -> bool:
    """Whether a message is one for the archive, as far as preferences allow."""
    kind = message.attrs.get("type", "normal")
    if kind != "chat" and kind != "normal":
        return kind == "headline" and hints_of(message) == _STORE
    wanted = False
    for child in message.children:
        if child.__class__ is str:
            continue
        name, ns = child.name, child.ns  # type: ignore[union-attr]
        if ns == CLIENT:
            wanted = wanted or name in _KEPT
        elif ns == hints.NS:
            if name == "no-store" or name == "no-permanent-store":
                return False
            wanted = wanted or name == "store"
        elif not wanted:
            wanted = (name, ns) in _PART_OF_CONVERSATION or (
                ns == _MUC_USER and child.child("invite") is not None  # type: ignore[union-attr]
            )
    return wanted
