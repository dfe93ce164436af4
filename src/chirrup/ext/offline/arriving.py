"""Messages that come from another server's storage, as they are stored here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.values import parse_datetime, parse_element
from chirrup.core.xml import CLIENT, XML_LANG, Element
from chirrup.ext import delay
from chirrup.ext.stanza_ids import NS as STANZA_IDS
from chirrup.store.message_rows import Message

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
_SPREAD: Final = 900_000
"""Microseconds: what is left of a second is for messages that follow in it."""
LEEWAY: Final = 1
"""Seconds after the beginning of an import that a message of now may seem to be of: see `id_for`."""
_ARCHIVED: Final = "urn:xmpp:mam:tmp"
"""Of which other servers leave an element in what they store."""


def id_for(moment: datetime, owner: JID) -> int:
    """The id of a message that was stored at a moment, which can't be before 1970.

    Many servers know the second only. Then it is some moment of that second, the same for all messages of an account,
    so that accounts which have a copy of the same message each don't get the same id."""
    number = max((moment - _EPOCH) // timedelta(microseconds=1), 0)
    if number % _SECOND == 0:
        number += 1 + int.from_bytes(blake2b(owner.text.encode(), digest_size=8).digest(), "big") % _SPREAD
    return number


def delay_of(message: Element, host: str) -> datetime | None:
    """Since when a message waits, by what the server says that stored it; else by what came with the message."""
    found = None
    for child in message.elements("delay", delay.NS):
        try:
            moment = parse_datetime(child.get("stamp"))
        except ValueError:
            continue
        if child.get("from") == host:
            return moment
        found = moment
    return found


def cleaned(message: Element, owner: JID, *, waited: bool) -> Element:
    """The message without what the former server said in it of its own storage."""
    kept = message.copy()
    kept.name, kept.ns = "message", CLIENT
    kept.children = [child for child in kept.children if not _is_of_storage(child, owner, waited)]
    return kept


def _is_of_storage(child: Element | str, owner: JID, waited: bool) -> bool:
    if isinstance(child, str):
        return not child.strip()
    if (child.name, child.ns) in (("stanza-id", STANZA_IDS), ("archived", _ARCHIVED)):
        return child.get("by") in (owner.text, owner.domain)
    return waited and (child.name, child.ns) == ("delay", delay.NS) and child.get("from") == owner.domain


def message_from(number: int, stanza: Element, owner: JID, *, archived: bool, waiting: bool) -> Message:
    """As it is stored. Raises ValueError for addresses that can't be."""
    try:
        sender = JID.parse(stanza.attrs["from"]) if "from" in stanza.attrs else owner
        peer = sender
        if sender.bare == owner:
            peer = JID.parse(stanza.attrs["to"]) if "to" in stanza.attrs else owner
    except AddressError as error:
        raise ValueError(f"a message: {error}") from None
    return Message(number, peer.bare.text, peer.resource, stanza.to_bytes().decode(), archived, waiting)


def same(one: str, other: str) -> bool:
    """Whether two texts of messages, as stored, say the same."""
    return one == other or _parsed(one) == _parsed(other)


def _parsed(value: str) -> Element:
    element = parse_element(f"<message xmlns='{CLIENT}'" + value[len("<message") :])
    element.attrs.pop(XML_LANG, None)
    return element
