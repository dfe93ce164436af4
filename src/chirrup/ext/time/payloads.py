"""An entity's idea of the time (XEP-0202 §3)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.payload import Payload, child_text, payload
from chirrup.ext.time import NS


@payload("time", NS)
class Time(Payload):
    """The time; empty in a request."""

    tzo: str | None = child_text("tzo", default=None)
    """How far the entity's time of day is ahead of UTC: `Z`, `+05:30`, `-08:00` (XEP-0082 §3)."""
    utc: datetime | None = child_text("utc", default=None)
