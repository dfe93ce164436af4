"""What is asked of, and told about, an account (XEP-0077), and where else to go (XEP-0066)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child_text, flag, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.registration import NS, OOB


@payload("query", NS)
class Query(Payload):
    """The fields to fill in, empty as a server asks for them; and what a client has filled in."""

    registered: bool = flag("registered")
    """Whether the one who asked has an account."""
    instructions: str | None = child_text("instructions", default=None)
    username: str | None = child_text("username", default=None)
    """The localpart of the address, in a request as its owner typed it."""
    password: str | None = child_text("password", default=None)
    remove: bool = flag("remove")
    """The account is to be removed (§3.2)."""
    extensions: tuple[Element, ...] = rest()
    """A data form, a link, and fields of the past."""


@payload("x", OOB)
class Link(Payload):
    """Where to go in place of this (XEP-0066 §3)."""

    url: str = child_text("url")
    description: str | None = child_text("desc", default=None)
