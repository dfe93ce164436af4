"""Which messages are kept, and how they are written down."""

from __future__ import annotations

import enum
from typing import Final, TypeGuard

from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element, serialise
from chirrup.ext import carbons, chat_states, delay, hints, stanza_ids
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.hints.payloads import Hint, hints_of
from chirrup.ext.stanza_ids.rules import stanza_id
from chirrup.store.message_rows import Message, moment_of

_SAYS_NOTHING: Final = frozenset({carbons.NS, chat_states.NS, hints.NS, delay.NS, stanza_ids.NS})
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
        if child.ns == chat_states.NS:
            state = True
        elif child.ns not in _SAYS_NOTHING and (child.ns, child.name) != (CLIENT, "thread"):
            return False
    return state


def handed_over(message: Message, owner: JID, host: JID, uid: str) -> bytes:
    """A message as it is given to its owner at last: with the moment since when it waits and, where it is in the
    archive, its id there.

    One delay is all that a message may have (XEP-0203 §2). One that came with it names the earlier moment and stays,
    unless it claims to be of this host, which has given none (§5)."""
    value = message.value
    if delay.NS in value:
        stanza = parse_element(f"<message xmlns='{CLIENT}'" + value[len("<message") :])
        stanza.children = [child for child in stanza.children if not claims_delay_by(child, host)]
        delayed = stanza.child(Delay.NAME, Delay.NS) is not None
        value = stanza.to_bytes().decode()
    else:
        delayed = False
    added = "" if delayed else serialise(Delay(moment_of(message.id), host, "Offline Storage").to_element(), CLIENT)
    if message.archived:
        added += serialise(stanza_id(uid, owner), CLIENT)
    inside = value[: -len("/>")] + ">" if value.endswith("/>") else value[: -len("</message>")]
    return f"{inside}{added}</message>".encode()


def sender_of(message: Message) -> JID:
    """Who has sent a message that waits."""
    peer = JID.parse(message.peer)
    return peer.with_resource(message.resource) if message.resource else peer


def claims_delay_by(child: Element | str, host: JID) -> TypeGuard[Element]:
    """Whether something in a stanza is a delay that says to be of that host."""
    if not isinstance(child, Element) or (child.name, child.ns) != (Delay.NAME, Delay.NS):
        return False
    try:
        return JID(child.get("from")) == host
    except AddressError:
        return False
