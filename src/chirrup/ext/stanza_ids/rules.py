"""Adding ids to messages, finding them, and taking forged ones away (XEP-0359 §3)."""

from __future__ import annotations

from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.stanza_ids import NS

_NAME = "stanza-id"


def add_stanza_id(message: Element, uid: str, by: JID) -> None:
    message.children.append(stanza_id(uid, by))


def stanza_id(uid: str, by: JID) -> Element:
    element = Element(_NAME, NS)
    element.attrs["id"] = uid
    element.attrs["by"] = by.text
    return element


def stanza_id_by(message: Element, by: JID) -> str:
    """The id that somebody gave a message; empty if there is none."""
    for child in message.elements(_NAME, NS):
        if _by(child) == by:
            return child.get("id")
    return ""


def strip_ids_by(message: Element, domain: str) -> None:
    """Take away the ids that claim to be of a domain or an account of it, which gave none (rule 2)."""
    for child in message.children:
        if child.__class__ is not str and child.ns == NS and child.name == _NAME:  # type: ignore[union-attr]
            message.children = [other for other in message.children if not _is_of(other, domain)]
            return


def _is_of(child: Element | str, domain: str) -> bool:
    if isinstance(child, str) or child.ns != NS or child.name != _NAME:
        return False
    by = _by(child)
    return by is not None and by.domain == domain


def _by(element: Element) -> JID | None:
    try:
        return JID.parse(element.get("by"))
    except AddressError:
        return None
