"""vCards, exported and imported (XEP-0227, vCards)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from chirrup.core.xml import Element
from chirrup.ext.vcard import NS
from chirrup.server.transfer import Incoming, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Transfer(Part):
    """The account's vCard."""

    takes = frozenset({("vCard", NS)})

    async def export(self) -> AsyncIterator[str]:
        card = await self.store.value("vcard").get(self.owner.text)
        if card is not None:
            yield card

    async def take(self, element: Element, incoming: Incoming) -> None:
        values, owner, written = self.store.value("vcard"), self.owner.text, str(element)
        if not element.children:
            return

        def put(connection: Connection) -> int:
            rows = values.within(connection)
            if rows.get(owner) is not None:
                return 0
            rows.set(owner, written)
            return 1

        await incoming.store("vCards", 1, put, size=len(written))
