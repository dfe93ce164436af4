"""A client's or component's time."""

from __future__ import annotations

from chirrup.client.feature import Feature, Request, iq_get
from chirrup.core.jid import JID
from chirrup.ext.time import NS
from chirrup.ext.time.payloads import Time, now


class EntityTime(Feature):
    """Tells what time it is, and asks others."""

    xeps = ((202, "2.0", ""), (82, "1.1.1", ""))
    features = (NS,)

    @iq_get(Time)
    def tell(self, request: Request[Time]) -> Time:
        return now(self.entity.clock.time())

    async def of(self, jid: JID | str, *, timeout: float | None = None) -> Time:
        """Somebody's time. Raises StanzaError where they don't tell."""
        return await self.entity.request(Time(), to=jid, timeout=timeout)
