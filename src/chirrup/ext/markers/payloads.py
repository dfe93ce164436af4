"""What may be marked, and the mark (XEP-0333 §4)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.markers import NS


@payload("markable", NS)
class Markable(Payload):
    """In a message with an id: its sender would like to know when it has been seen."""


@payload("displayed", NS)
class Displayed(Payload):
    """The message with that id has been seen, and all before it. In a room it is the id that the room gave it."""

    id: str = attribute()
