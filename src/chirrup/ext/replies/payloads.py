"""The reference to the message that is replied to (XEP-0461 §3)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.replies import NS


@payload("reply", NS)
class Reply(Payload):
    """This message is a reply to the one with that id. In a room it is the id that the room gave it."""

    id: str = attribute()
    to: JID | None = attribute(default=None)
    """Who wrote that message."""
