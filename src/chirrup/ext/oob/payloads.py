"""URIs in stanzas (XEP-0066 §§2 and 3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child_text, payload
from chirrup.ext.oob import IQ, X


@payload("query", IQ)
class Transfer(Payload):
    """A file to fetch; the IQ's result says that it is there whole."""

    url: str = child_text("url")
    description: str | None = child_text("desc", default=None)
    sid: str | None = attribute(default=None)
    """The stream initiation that it belongs to (§6)."""


@payload("x", X)
class Link(Payload):
    """A URI that a message, a presence or another payload refers to."""

    url: str = child_text("url")
    description: str | None = child_text("desc", default=None)
