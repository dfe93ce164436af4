"""vCards of accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.vcard import NS
from chirrup.server.module import Account, Addressee, Module, Request, Settings, Xep, iq_get, iq_set

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.server.host import Host

Watcher = Callable[[Account, Element], Awaitable[None]]


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

    def __init__(self, host: Host, settings: VCardSettings) -> None:
        super().__init__(host, settings)
        self._values = host.store.value("vcard")
        self._watchers: list[Watcher] = []

    # -- for other modules

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Have `watcher` called with every vCard that an owner puts in place of another, once it is durable and before
        the owner is answered; what is returned ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    async def read(self, owner: JID) -> Element | None:
        """The vCard of an account."""
        found = await self._values.get(owner.text)
        return None if found is None else parse_element(found)

    def has(self, connection: Connection, owner: str) -> bool:
        """Whether an account has one, within somebody's query."""
        return self._values.within(connection).get(owner) is not None

    async def write(self, owner: JID, card: Element) -> bool:
        """Put a vCard in place; durable when this returns. False, and nothing done, if it is too large."""
        written = str(card)
        if len(written.encode()) > self.settings.max_bytes:
            return False
        await self._values.set(owner.text, written)
        return True

    # -- requests

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
        if not request.payload.children:
            await self._values.delete(request.to.text)
        elif not await self.write(request.to, request.payload):
            raise StanzaError("policy-violation", f"a vCard may have {self.settings.max_bytes} bytes")
        if request.account is not None:
            for watcher in self._watchers:
                await watcher(request.account, request.payload)

    @iq_set(("vCard", NS), to=(Addressee.ACCOUNT,), even_missing=True)
    def refuse(self, request: Request[Element]) -> None:
        raise StanzaError("forbidden", "a vCard is changed by its owner")
