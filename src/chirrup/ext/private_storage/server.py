"""Private XML of accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.private_storage import NS
from chirrup.ext.private_storage.keys import key
from chirrup.ext.private_storage.payloads import Private
from chirrup.server.module import Account, Addressee, Module, Request, Settings, Xep, iq_get, iq_set

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.server.host import Host

_OTHERS: Final = (Addressee.ACCOUNT,)


class Provider(Protocol):
    """Who keeps the elements of one name instead."""

    async def read(self, account: Account) -> Element:
        """The element as it is now, which may be an empty one."""

    async def write(self, account: Account, element: Element) -> None:
        """Take another; durable when this returns. StanzaError where it doesn't fit."""


class PrivateStorageSettings(Settings):
    """What may be kept."""

    max_bytes: int = Field(default=1_000_000, ge=1_000)
    """Bytes that an account may keep altogether."""
    max_element_bytes: int = Field(default=200_000, ge=1_000, le=250_000)
    """Bytes of one element."""


class PrivateStorage(Module):
    """Keeps XML for clients, each account's for itself."""

    xeps = (Xep(49, "1.2"),)
    features = (NS,)
    account_features = (NS,)
    needs_accounts = True
    Settings = PrivateStorageSettings
    settings: PrivateStorageSettings

    def __init__(self, host: Host, settings: PrivateStorageSettings) -> None:
        super().__init__(host, settings)
        self._map = host.store.map("private")
        self._providers: dict[str, Provider] = {}

    # -- for other modules

    def hand_over(self, name: str, ns: str, provider: Provider) -> Callable[[], None]:
        """Have another module keep the elements of that name, in place of this one; what is returned ends that."""
        kept = key(Element(name, ns))
        self._providers[kept] = provider
        return lambda: self._providers.__delitem__(kept)

    async def read(self, owner: JID, name: str, ns: str) -> Element | None:
        """The element of that name that this module itself keeps."""
        found = await self._map.get(owner.text, key(Element(name, ns)))
        return None if found is None else parse_element(found)

    async def write(self, owner: JID, element: Element) -> None:
        """Keep an element, in place of one of its name. StanzaError where it doesn't fit."""
        self._check_size([str(element)])
        await self._replace(owner.text, {key(element): str(element)}, [] if element.children else [key(element)])

    # -- requests

    @iq_get(Private, to=(Addressee.OWN,))
    async def get(self, request: Request[Private]) -> Private:
        """What is kept under the name and namespace of the one element asked for; the element itself if nothing is."""
        elements = request.payload.elements
        if len(elements) != 1:
            raise StanzaError("bad-request", "one element names what is asked for")
        provider = self._providers.get(key(elements[0]))
        if provider is not None and request.account is not None:
            return Private((await provider.read(request.account),))
        found = await self._map.get(request.to.text, key(elements[0]))
        return Private((elements[0] if found is None else parse_element(found),))

    @iq_set(Private, to=(Addressee.OWN,))
    async def set(self, request: Request[Private]) -> None:
        """Put elements of one namespace in place of those of the same names; an empty one removes what was there."""
        elements = request.payload.elements
        new = {key(element): str(element) for element in elements}
        if not elements or len(new) < len(elements) or len({element.ns for element in elements}) > 1:
            raise StanzaError("not-acceptable", "what is kept are elements of one namespace, each with its own name")
        self._check_size(new.values())
        for element in elements:
            if (provider := self._providers.get(key(element))) is not None and request.account is not None:
                await provider.write(request.account, element)
                del new[key(element)]
        empty = [key(element) for element in elements if not element.children and not element.attrs]
        empty = [key for key in empty if key in new]
        await self._replace(request.to.text, new, empty)

    def _check_size(self, written: Iterable[str]) -> None:
        if any(len(text.encode()) > self.settings.max_element_bytes for text in written):
            raise StanzaError("policy-violation", f"an element may have {self.settings.max_element_bytes} bytes")

    async def _replace(self, owner: str, new: dict[str, str], empty: list[str]) -> None:
        def replace(connection: Connection) -> None:
            rows = self._map.within(connection)
            rows.set_many(owner, new)
            rows.delete(owner, empty)
            if sum(len(text.encode()) for text in rows.all(owner).values()) > self.settings.max_bytes:
                raise StanzaError("resource-constraint", f"an account may keep {self.settings.max_bytes} bytes")

        await self.host.store.submit(replace, size=sum(map(len, new.values())))

    @iq_get(Private, to=_OTHERS, even_missing=True)
    @iq_set(Private, to=_OTHERS, even_missing=True)
    def refuse(self, request: Request[Private]) -> None:
        raise StanzaError("forbidden", "it is for the account's owner only")
