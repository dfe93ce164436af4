"""What a device was sent and may not have: its connection was lost before its program said that it got it."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from chirrup.core.jid import JID
from chirrup.core.rereading import Rereader
from chirrup.core.xml import CLIENT, Element
from chirrup.ext import carbons, forwarding
from chirrup.ext.push.rules import is_worth_it

_MOST: Final = 100
"""Stanzas that are looked at: whoever misses more comes back for any of them. Thousands would take a while."""


def unread(written: deque[bytes], owner: JID) -> list[Element]:
    """The messages worth waking somebody for among the last stanzas as they were written to one of the owner's clients;
    those of copies (XEP-0280), too."""
    rereader = Rereader()
    found = [
        _inside(message, owner)
        for stanza in list(islice(reversed(written), _MOST))[::-1]
        if stanza.startswith(b"<message")
        for message in rereader.read(stanza)
    ]
    rereader.discard()
    return [message for message in found if is_of_another(message, owner) and is_worth_it(message)]


def is_of_another(message: Element, owner: JID) -> bool:
    """Whether a message is from somebody else than the account itself."""
    return message.get("from").partition("/")[0] != owner.text


def _inside(message: Element, owner: JID) -> Element:
    """The message that is copied; the message itself where it is no copy."""
    copy = message.child("received", carbons.NS) if message.get("from") == owner.text else None
    around = None if copy is None else copy.child("forwarded", forwarding.NS)
    inner = None if around is None else around.child("message", CLIENT)
    return message if inner is None else inner
