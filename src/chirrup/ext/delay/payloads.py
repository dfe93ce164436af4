"""The stamp of a delayed message or presence (XEP-0203 §2)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, payload, text
from chirrup.ext.delay import NS


@payload("delay", NS)
class Delay(Payload):
    """When a stanza was sent that comes only now. Anyone can have written it (§5)."""

    stamp: datetime = attribute()
    from_: JID | None = attribute(default=None)
    """Who sent the stanza, or who held it back."""
    reason: str = text(default="")
    """Why, for people to read."""
