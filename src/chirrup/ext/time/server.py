"""The server's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chirrup.ext.time import NS
from chirrup.ext.time.payloads import Time
from chirrup.server.module import Module, Request, Xep, iq_get


class EntityTime(Module):
    """Tells what time it is."""

    xeps = (Xep(202, "2.0"), Xep(82, "1.1.1"))
    features = (NS,)

    @iq_get(Time)
    def tell(self, request: Request[Time]) -> Time:
        """Anybody may ask."""
        now = datetime.fromtimestamp(int(self.host.clock.time()), UTC)
        return Time(offset(now.astimezone().utcoffset() or timedelta()), now)


def offset(ahead: timedelta) -> str:
    """How far a time of day is ahead of UTC, as XEP-0082 §3 writes it."""
    minutes = round(ahead.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
