"""A client's or component's software version."""

from __future__ import annotations

from chirrup import __version__
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_get
from chirrup.core.jid import JID
from chirrup.ext.version import NS
from chirrup.ext.version.payloads import Version


class SoftwareVersion(Feature):
    """Tells which software this is, and asks others."""

    xeps = ((92, "1.1", ""),)
    features = (NS,)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.version = Version("Chirrup", __version__)
        """What anybody is told who asks. A program puts its own name there."""

    @iq_get(Version)
    def tell(self, request: Request[Version]) -> Version:
        return self.version

    async def of(self, jid: JID | str, *, timeout: float | None = None) -> Version:
        """Somebody's software. Raises StanzaError where they don't tell."""
        return await self.entity.request(Version(), to=jid, timeout=timeout)
