"""For how long something is so (XEP-0012 §2)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, payload, text
from chirrup.ext.last_activity import NS


@payload("query", NS)
class LastActivity(Payload):
    """Since when an account is away, a client idle or a server up; empty in a request."""

    seconds: int | None = attribute(default=None)
    status: str = text(default="")
    """What the account's last unavailable presence said."""
