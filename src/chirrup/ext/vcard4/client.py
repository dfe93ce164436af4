"""A client's vCard of version 4, and those of others (XEP-0292)."""

from __future__ import annotations

from chirrup.client.feature import Feature
from chirrup.core.jid import JID
from chirrup.ext.pubsub.client import CURRENT, Config, Pubsub
from chirrup.ext.vcard4 import NODE, NS
from chirrup.ext.vcard4.payloads import VCard4


class VCards4(Feature):
    """vCards that are published."""

    xeps = ((292, "0.12.0", ""),)
    features = (NS,)

    async def fetch(self, jid: JID | str | None = None) -> VCard4 | None:
        """Somebody's card, by default the own one; None if there is none. Raises StanzaError."""
        published = await self.need(Pubsub).node(NODE, VCard4, at=jid).last()
        return None if published is None else published.payload

    async def publish(self, card: VCard4, *, options: Config | None = None) -> None:
        """Put this in place of the own card. Raises StanzaError."""
        await self.need(Pubsub).node(NODE, VCard4).publish(card, CURRENT, options=options)
