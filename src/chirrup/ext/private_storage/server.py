"""Private XML of accounts."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from chirrup.core.errors import StanzaError
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.private_storage import NS
from chirrup.ext.private_storage.payloads import Private
from chirrup.server.module import Addressee, Module, Request, Settings, Xep, iq_get, iq_set

_OTHERS: Final = (Addressee.ACCOUNT,)
_NOT_OWN: Final = frozenset({"", NS, CLIENT})
"""Namespaces that an element has because it declares none."""


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

    async def start(self) -> None:
        self._map = self.host.store.map("private")

    @iq_get(Private, to=(Addressee.OWN,))
    async def get(self, request: Request[Private]) -> Private:
        """What is kept under the name and namespace of the one element asked for; the element itself if nothing is."""
        elements = request.payload.elements
        if len(elements) != 1:
            raise StanzaError("bad-request", "one element names what is asked for")
        found = await self._map.get(request.to.text, _key(elements[0]))
        return Private((elements[0] if found is None else parse_element(found),))

    @iq_set(Private, to=(Addressee.OWN,))
    async def set(self, request: Request[Private]) -> None:
        """Put elements of one namespace in place of those of the same names; an empty one removes what was there."""
        elements = request.payload.elements
        new = {_key(element): str(element) for element in elements}
        if not elements or len(new) < len(elements) or len({element.ns for element in elements}) > 1:
            raise StanzaError("not-acceptable", "what is kept are elements of one namespace, each with its own name")
        if any(len(text.encode()) > self.settings.max_element_bytes for text in new.values()):
            raise StanzaError("policy-violation", f"an element may have {self.settings.max_element_bytes} bytes")
        empty = [_key(element) for element in elements if not element.children and not element.attrs]
        await self._replace(request.to.text, new, empty)

    async def _replace(self, owner: str, new: dict[str, str], empty: list[str]) -> None:
        def replace(connection: Any) -> None:
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


def _key(element: Element) -> str:
    """Under which key of the map an element is kept. StanzaError for one without a namespace of its own."""
    if element.ns in _NOT_OWN:
        raise StanzaError("not-acceptable", "the element needs a namespace of its own")
    return f"{{{element.ns}}}{element.name}"
