"""Private XML, exported and imported (XEP-0227, Private XML Storage)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from chirrup.core.errors import StanzaError
from chirrup.core.xml import Element
from chirrup.ext.private_storage import NS
from chirrup.ext.private_storage.keys import key
from chirrup.server.transfer import Incoming, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Transfer(Part):
    """What the account's clients keep."""

    takes = frozenset({("query", NS)})

    async def export(self) -> AsyncIterator[str]:
        kept = await self.store.map("private").all(self.owner.text)
        if kept:
            yield f"<query xmlns='{NS}'>{''.join(kept.values())}</query>"

    async def take(self, element: Element, incoming: Incoming) -> None:
        entries, owner = {}, self.owner.text
        for child in element.elements():
            if not child.children and not child.attrs:
                continue
            try:
                entries[key(child)] = str(child)
            except StanzaError as error:
                incoming.complain(f"private XML <{child.name}/>: {error}")
        private = self.store.map("private")

        def put(connection: Connection) -> int:
            rows = private.within(connection)
            known = rows.all(owner)
            new = {name: text for name, text in entries.items() if name not in known}
            rows.set_many(owner, new)
            return len(new)

        if entries:
            await incoming.store("private elements", len(entries), put, size=sum(map(len, entries.values())))
