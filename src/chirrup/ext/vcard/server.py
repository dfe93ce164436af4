"""vCards of accounts."""

from __future__ import annotations

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.vcard import NS
from chirrup.server.module import Addressee, Module, Request, Settings, Xep, iq_get, iq_set


class VCardSettings(Settings):
    """What a vCard may hold."""

    max_bytes: int = Field(default=200_000, ge=1_000, le=250_000)
    """Bytes of a vCard, with the photo that may be in it."""


class VCards(Module):
    """Keeps the vCards of accounts and shows them to everybody."""

    xeps = (Xep(54, "1.3.0"),)
    features = (NS,)
    account_features = (NS,)
    needs_accounts = True
    Settings = VCardSettings
    settings: VCardSettings

    async def start(self) -> None:
        self._values = self.host.store.value("vcard")

    @iq_get(("vCard", NS), to=(Addressee.OWN, Addressee.ACCOUNT), even_missing=True)
    async def get(self, request: Request[Element]) -> Element:
        """Anybody may ask. An account without a vCard looks like one that doesn't exist."""
        found = None if request.account is None else await self._values.get(request.account.jid.text)
        if found is None:
            # XEP-0054, Use Cases: the same for somebody without a vCard as for nobody.
            own = request.account is not None and request.sender.bare == request.account.jid
            raise StanzaError("item-not-found" if own else "service-unavailable", "there is no vCard")
        return parse_element(found)

    @iq_set(("vCard", NS), to=(Addressee.OWN,))
    async def set(self, request: Request[Element]) -> None:
        """Put the vCard in place of the former one; an empty one removes it."""
        owner = request.to.text
        if not request.payload.children:
            await self._values.delete(owner)
            return
        written = str(request.payload)
        if len(written.encode()) > self.settings.max_bytes:
            raise StanzaError("policy-violation", f"a vCard may have {self.settings.max_bytes} bytes")
        await self._values.set(owner, written)

    @iq_set(("vCard", NS), to=(Addressee.ACCOUNT,), even_missing=True)
    def refuse(self, request: Request[Element]) -> None:
        raise StanzaError("forbidden", "a vCard is changed by its owner")
