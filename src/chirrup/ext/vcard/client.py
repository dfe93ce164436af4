"""A client's vCard, and those of others (XEP-0054)."""

from __future__ import annotations

from chirrup.client.feature import Feature
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.vcard.payloads import VCard


class VCards(Feature):
    """vCards as all clients know them. What a card has beside the usual is in `others`; to change one, begin with the
    one that is there: `dataclasses.replace(await vcards.fetch(), full_name="Juliet")`."""

    xeps = ((54, "1.3.0", ""),)

    async def fetch(self, jid: JID | str | None = None) -> VCard:
        """Somebody's card, by default the own one; an empty one where there is none. Raises StanzaError."""
        try:
            iq = await self.entity.request(VCard(), to=jid, result=None)
        except StanzaError as error:
            if error.condition != "item-not-found":
                raise
            return VCard()
        return VCard() if iq.payload is None else VCard.parse(iq.payload)

    async def publish(self, card: VCard) -> None:
        """Put this in place of the own card. Raises StanzaError."""
        await self.entity.request(card, type="set", result=None)
