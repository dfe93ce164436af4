"""The wish to take a message back, and what an archive has in its place (XEP-0424 §§3 and 4)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.retraction import NS


@payload("retract", NS)
class Retract(Payload):
    """The sender takes back the message with that id. In a room it is the id that the room gave it."""

    id: str = attribute()


@payload("retracted", NS)
class Retracted(Payload):
    """Stands where the content of a message was."""

    id: str = attribute()
    """The id of the message with the retraction."""
    stamp: datetime | None = attribute(default=None)
    by: str = attribute(default="")
    """Who took it back, where that isn't its author."""
