"""Pings of a client or component."""

from __future__ import annotations

from chirrup.client.feature import Feature, Request, iq_get
from chirrup.core.jid import JID
from chirrup.ext.ping import NS
from chirrup.ext.ping.payloads import Ping


class Pings(Feature):
    """Answers pings, and sends them."""

    xeps = ((199, "2.0.1", ""),)
    features = (NS,)

    @iq_get(Ping)
    def pong(self, request: Request[Ping]) -> None:
        """Anybody may ask: a full JID is known only to those who are shown it."""

    async def ping(self, to: JID | str | None = None, *, timeout: float | None = None) -> float:
        """Ping somebody, by default the own server, and return the seconds until the answer.

        Raises DeadlineError where there is none, and StanzaError for an error: there is nobody, or one that doesn't
        know pings."""
        clock = self.entity.clock
        began = clock.monotonic()
        await self.entity.request(Ping(), to=to or self.entity.jid.host, result=None, timeout=timeout)
        return clock.monotonic() - began
