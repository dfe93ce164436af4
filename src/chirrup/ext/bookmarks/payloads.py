"""A bookmark (XEP-0402 §2), and all of them as they were before (XEP-0048 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, child_text, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.bookmarks import NS, OLD


@payload("extensions", NS)
class Extensions(Payload):
    """What clients of some kind keep with a bookmark; others leave it as it is."""

    elements: tuple[Element, ...] = rest()


@payload("conference", NS)
class Conference(Payload):
    """A room; its item's id is the room's address."""

    name: str | None = attribute(default=None)
    autojoin: bool = attribute(default=False)
    """Whether clients enter the room when they come online."""
    nick: str | None = child_text("nick", default=None)
    password: str | None = child_text("password", default=None)
    extensions: Extensions | None = child(Extensions, default=None)


@payload("conference", OLD)
class OldConference(Payload):
    """A room."""

    jid: str = attribute(default="")
    name: str | None = attribute(default=None)
    autojoin: bool = attribute(default=False)
    nick: str | None = child_text("nick", default=None)
    password: str | None = child_text("password", default=None)
    others: tuple[Element, ...] = rest()
    """What clients of some kind keep with it, as `Extensions` have it now."""


@payload("storage", OLD)
class Storage(Payload):
    """All bookmarks."""

    conferences: tuple[OldConference, ...] = children(OldConference)
    others: tuple[Element, ...] = rest()
    """Such as bookmarks of web pages."""
