"""Rosters and subscription requests, exported and imported (XEP-0227, Rosters and Incoming Subscription Requests)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import AddressError, PayloadError
from chirrup.core.jid import JID
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.roster import NS
from chirrup.ext.roster.payloads import Item, Query
from chirrup.ext.roster.roster import Contact
from chirrup.ext.roster.states import INBOUND, State
from chirrup.server.transfer import NS as DOCUMENT
from chirrup.server.transfer import Incoming, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LONGEST_REQUEST: Final = 8192
"""Characters; of a longer request only its sender is kept."""


class Transfer(Part):
    """The account's contacts, and who has asked to be one."""

    # Prosody leaves out the namespace of presence.
    takes = frozenset({("query", NS), ("presence", CLIENT), ("presence", DOCUMENT)})

    async def export(self) -> AsyncIterator[str]:
        kept = await self.store.map("roster").all(self.owner.text)
        contacts = [Contact.from_text(JID.parse(jid), text) for jid, text in kept.items()]
        yield str(Query(items=tuple(item for contact in contacts if (item := contact.item) is not None)).to_element())
        for contact in contacts:
            if contact.state.pending_in and contact.request:
                yield f"<presence xmlns='{CLIENT}'{contact.request[len('<presence') :]}"

    async def take(self, element: Element, incoming: Incoming) -> None:
        if element.name == "presence":
            await self._take_request(element, incoming)
            return
        contacts = []
        for child in element.elements("item", NS):
            try:
                contact = _contact(Item.parse(child))
            except (PayloadError, ValueError) as error:
                incoming.complain(f"contact {child.get('jid')!r}: {error}")
                continue
            if contact.jid != self.owner:
                contacts.append(contact)
        if contacts:
            await self._store("contacts", contacts, incoming)

    async def _take_request(self, element: Element, incoming: Incoming) -> None:
        kind = element.get("type")
        if kind != "subscribe":
            incoming.leave_out(f"presence of type {kind or 'available'!r}")
            return
        try:
            jid = JID.parse(element.get("from")).bare
        except AddressError as error:
            raise ValueError(f"a subscription request: {error}") from None
        request = element.copy().set("from", jid).set("to", self.owner)
        request.ns = CLIENT
        written = request.to_bytes().decode()
        if len(written) > _LONGEST_REQUEST:
            request.children = []
            written = request.to_bytes().decode()
        await self._store("subscription requests", [Contact(jid, State.NONE_IN, request=written)], incoming)

    async def _store(self, kind: str, contacts: list[Contact], incoming: Incoming) -> None:
        roster, owner = self.store.map("roster"), self.owner.text

        def put(connection: Connection) -> int:
            rows, new = roster.within(connection), {}
            kept = partial(rows.get, owner) if len(contacts) == 1 else rows.all(owner).get
            for contact in contacts:
                text = kept(contact.jid.text)
                known = Contact(contact.jid) if text is None else Contact.from_text(contact.jid, text)
                both = _together(known, contact)
                if both != known:
                    new[contact.jid.text] = both.to_text()
            rows.set_many(owner, new)
            return len(new)

        await incoming.store(kind, len(contacts), put)


def _contact(item: Item) -> Contact:
    """Raises ValueError where the subscription can't be."""
    state = State(item.subscription or "none")
    if item.ask == "subscribe" and not state.receives:
        state = State(f"{state.value}+out")
    elif item.ask == "unsubscribe" and state.receives:  # of RFC 3921: on its way to the contact
        state = State.FROM if state.shares else State.NONE
    return Contact(item.jid.bare, state, item.name, item.groups, item.approved, listed=True)


def _together(known: Contact, new: Contact) -> Contact:
    """A contact with what is new about it: an item for one that wasn't listed, or a request that wasn't known of."""
    if new.listed:
        if known.listed:
            return known
        return replace(_asking(new, known.request), approved=new.approved or known.approved)
    return _asking(known, new.request)


def _asking(contact: Contact, request: str) -> Contact:
    """The contact with a request waiting, unless one does or it is granted already."""
    state = INBOUND["subscribe"][contact.state].state
    if not request or state is contact.state:
        return contact
    return replace(contact, state=state, request=request)
