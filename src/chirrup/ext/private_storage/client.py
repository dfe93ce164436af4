"""What a client keeps for itself at the server (XEP-0049)."""

from __future__ import annotations

from typing import TypeVar

from chirrup.client.feature import Feature
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.private_storage.payloads import Private

P = TypeVar("P", bound=Payload)


class PrivateStorage(Feature):
    """Elements in namespaces of the program's own, one for each name and namespace.

    storage = client.need(PrivateStorage)
    await storage.set(Settings(theme="dark"))
    settings = await storage.get(Settings)
    """

    xeps = ((49, "1.2", ""),)

    async def get(self, kind: type[P]) -> P | None:
        """What is kept, as a payload; None if nothing was. Raises StanzaError, or PayloadError."""
        found = await self.get_element(kind.NAME, kind.NS)
        return None if not found.children and not found.attrs else kind.parse(found)

    async def get_element(self, name: str, ns: str) -> Element:
        """The same as it stands; an empty element if nothing was kept. Raises StanzaError."""
        asked = Element(name, ns)
        answer = await self.entity.request(Private((asked,)))
        return next((one for one in answer.elements if (one.name, one.ns) == (name, ns)), asked)

    async def set(self, payload: Payload | Element) -> None:
        """Keep this in place of what was kept by that name. Raises StanzaError."""
        element = payload.to_element() if isinstance(payload, Payload) else payload
        await self.entity.request(Private((element,)), type="set", result=None)
