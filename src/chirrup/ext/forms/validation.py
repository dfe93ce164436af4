"""Rules for the values of a form's fields (XEP-0122, version 1.0.2)."""

from __future__ import annotations

from typing import Final

from chirrup.core.payload import Payload, attribute, child, child_text, flag, payload

NS: Final = "http://jabber.org/protocol/xdata-validate"
XEPS: Final = ((122, "1.0.2", "data types, ranges and patterns"),)


@payload("range", NS)
class Range(Payload):
    """The least and the greatest value, each of them allowed."""

    min: str | None = attribute(default=None)
    max: str | None = attribute(default=None)


@payload("validate", NS)
class Validate(Payload):
    """What a value has to be, beyond its field's type."""

    datatype: str = attribute(default="xs:string")
    """A type of XML Schema Part 2, with the prefix "xs:", or one that is registered."""
    basic: bool = flag("basic")
    open: bool = flag("open")
    """Whether other values than the options may be given."""
    range: Range | None = child(Range, default=None)
    regex: str | None = child_text("regex", default=None)
