"""What asks for a page, and what tells which page it was (XEP-0059 §2)."""

from __future__ import annotations

from chirrup.core.errors import PayloadError
from chirrup.core.payload import Payload, attribute, child, child_text, payload, text
from chirrup.ext.rsm import NS


@payload("first", NS)
class First(Payload):
    """The first item of a page."""

    uid: str = text()
    index: int | None = attribute(default=None)
    """How many items of the whole stand before it; may be left out, or about right."""


@payload("set", NS)
class Set(Payload):
    """In a request the page that is wanted; in an answer the page that it is."""

    max: int | None = child_text("max", default=None)
    """How many items at most; 0 asks for the count alone."""
    before: str | None = child_text("before", default=None)
    """The page's last item is the one before this; empty for the last page of all."""
    after: str | None = child_text("after", default=None)
    """The page's first item is the one after this."""
    index: int | None = child_text("index", default=None)
    """The page begins with the item that this many stand before."""
    first: First | None = child(First, default=None)
    last: str | None = child_text("last", default=None)
    count: int | None = child_text("count", default=None)
    """How many items the whole has; may be left out, or about right."""

    def __post_init__(self) -> None:
        for name in ("max", "index", "count"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise PayloadError(f"<{name}/> can't be negative")
