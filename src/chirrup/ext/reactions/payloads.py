"""A message's reactions (XEP-0444 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child_texts, payload
from chirrup.ext.reactions import NS


@payload("reactions", NS)
class Reactions(Payload):
    """All reactions of the sender to the message with that id; they replace those sent before. In a room it is the
    id that the room gave it."""

    id: str = attribute()
    emojis: tuple[str, ...] = child_texts("reaction")
