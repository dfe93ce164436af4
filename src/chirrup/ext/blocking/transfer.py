"""Block lists, exported and imported. XEP-0227 knows privacy lists (XEP-0016): what they block altogether is taken out
of those, too. What is written is the list itself, as others do who have no privacy lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.blocking import NS
from chirrup.ext.blocking.payloads import BlockList, Item
from chirrup.server.transfer import Incoming, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PRIVACY: Final = "jabber:iq:privacy"


class Transfer(Part):
    """Whom the account blocks."""

    takes = frozenset({("blocklist", NS), ("query", _PRIVACY)})

    async def export(self) -> AsyncIterator[str]:
        kept = await self.store.map("blocked").all(self.owner.text)
        if kept:
            yield str(BlockList(tuple(Item(JID.parse(jid)) for jid in kept)).to_element())

    async def take(self, element: Element, incoming: Incoming) -> None:
        if element.ns == NS:
            addresses = [item.get("jid") for item in element.elements("item", NS)]
        else:
            addresses = list(_denied(element, incoming))
        blocked = {}
        for address in addresses:
            try:
                blocked[JID.parse(address).text] = ""
            except AddressError as error:
                incoming.complain(f"a blocked address: {error}")
        entries, owner = self.store.map("blocked"), self.owner.text

        def put(connection: Connection) -> int:
            rows = entries.within(connection)
            new = blocked.keys() - rows.all(owner).keys()
            rows.set_many(owner, dict.fromkeys(new, ""))
            return len(new)

        if blocked:
            await incoming.store("blocked addresses", len(blocked), put)


def _denied(query: Element, incoming: Incoming) -> Iterator[str]:
    """The addresses that the default list denies everything. Rules of other kinds have no counterpart."""
    default = query.child("default", _PRIVACY)
    name = None if default is None else default.get("name")
    for each in query.elements("list", _PRIVACY):
        if each.get("name") != name:
            incoming.leave_out("privacy lists that aren't the default one")
            continue
        for item in each.elements("item", _PRIVACY):
            if item.get("action") == "deny" and item.get("type") == "jid" and item.first is None:
                yield item.get("value")
            elif item.get("action") != "allow" or item.get("type"):
                incoming.leave_out("rules of privacy lists that don't just block an address")
