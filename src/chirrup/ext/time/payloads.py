"""An entity's idea of the time (XEP-0202 §3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chirrup.core.payload import Payload, child_text, payload
from chirrup.ext.time import NS


@payload("time", NS)
class Time(Payload):
    """The time; empty in a request."""

    tzo: str | None = child_text("tzo", default=None)
    """How far the entity's time of day is ahead of UTC: `Z`, `+05:30`, `-08:00` (XEP-0082 §3)."""
    utc: datetime | None = child_text("utc", default=None)


def now(seconds: float) -> Time:
    """The time that a clock shows, in seconds since 1970, here where this machine is."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return Time(offset(moment.astimezone().utcoffset() or timedelta()), moment)


def offset(ahead: timedelta) -> str:
    """How far a time of day is ahead of UTC, as XEP-0082 §3 writes it."""
    minutes = round(ahead.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
