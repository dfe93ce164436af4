"""The server's time."""

from __future__ import annotations

from chirrup.ext.time import NS
from chirrup.ext.time.payloads import Time, now
from chirrup.server.module import Module, Request, Xep, iq_get


class EntityTime(Module):
    """Tells what time it is."""

    xeps = (Xep(202, "2.0"), Xep(82, "1.1.1"))
    features = (NS,)

    @iq_get(Time)
    def tell(self, request: Request[Time]) -> Time:
        """Anybody may ask."""
        return now(self.host.clock.time())
