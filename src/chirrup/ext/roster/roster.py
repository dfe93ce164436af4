"""A roster in memory: its contacts, its version, and who is to be told of presence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.xml import escape_attribute
from chirrup.ext.roster.payloads import Item, Query
from chirrup.ext.roster.states import State

if TYPE_CHECKING:
    from chirrup.server.account import Account

_DIGEST_BYTES: Final = 16
_DIGESTS: Final = 1 << 8 * _DIGEST_BYTES


@record
class Contact:
    """What an account keeps about another address.

    Contacts that aren't `listed` are no items of the roster: they only have asked for a subscription (A.1, "None +
    Pending In")."""

    jid: JID
    state: State = State.NONE
    name: str = ""
    groups: tuple[str, ...] = ()
    approved: bool = False
    listed: bool = False
    request: str = ""
    """The stanza of a subscription request that waits for an answer."""

    @property
    def item(self) -> Item | None:
        """The contact as the roster shows it, if it does."""
        if not self.listed:
            return None
        ask = "subscribe" if self.state.pending_out else ""
        return Item(self.jid, self.name, self.state.subscription, ask, self.approved, self.groups)

    def moved(self, state: State) -> Contact:
        """The contact in that state; the request goes when it is no longer pending."""
        return replace(self, state=state, request=self.request if state.pending_in else "")

    def to_text(self) -> str:
        """The contact as it is stored, without its address: a JSON object."""
        fields: dict[str, Any] = {"state": self.state.value}
        for name in ("name", "groups", "approved", "listed", "request"):
            if value := getattr(self, name):
                fields[name] = value
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_text(cls, jid: JID, text: str) -> Contact:
        fields = json.loads(text)
        return cls(jid, **{**fields, "state": State(fields["state"]), "groups": tuple(fields.get("groups", ()))})


@record
class Audience:
    """Some of the contacts, ready for sending the same stanza to each."""

    local: tuple[tuple[str, bytes, JID], ...] = ()
    """Those of the same host: localpart, the attribute ` to='…'` as it is written, and address."""
    remote: tuple[JID, ...] = ()


class Roster:
    """The contacts of one account. Kept with the account while it is in memory."""

    __slots__ = ("_contacts", "_contributors", "_subscribers", "_sum", "owner")

    def __init__(self, owner: JID) -> None:
        self.owner = owner
        self._contacts: dict[JID, Contact] = {}
        self._sum: int | None = None  # of the digests of all items, once somebody has asked for the version
        self._forget_derived()

    def _forget_derived(self) -> None:
        self._subscribers: Audience | None = None
        self._contributors: Audience | None = None

    def __len__(self) -> int:
        """How many items there are."""
        return sum(contact.listed for contact in self._contacts.values())

    def get(self, jid: JID) -> Contact:
        """What is known of an address, which may be nothing."""
        return self._contacts.get(jid) or Contact(jid)

    def put(self, contact: Contact) -> bool:
        """Take over a contact. False when nothing is left to keep of it, and it is gone."""
        self._forget_derived()
        if self._sum is not None:
            self._sum += _digest(contact) - _digest(self.get(contact.jid))
        if contact.listed or contact.state is not State.NONE:
            self._contacts[contact.jid] = contact
            return True
        self._contacts.pop(contact.jid, None)
        return False

    def clear(self) -> None:
        self._contacts.clear()
        self._sum = None
        self._forget_derived()

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Everything that is kept, also what the roster doesn't show."""
        return tuple(self._contacts.values())

    @property
    def requests(self) -> tuple[Contact, ...]:
        """The contacts whose subscription request waits for an answer."""
        return tuple(contact for contact in self._contacts.values() if contact.state.pending_in)

    def shares_with(self, jid: JID) -> bool:
        """Whether an address, by its bare JID, may see the account's presence."""
        contact = self._contacts.get(jid.bare)
        return contact is not None and contact.state.shares

    # -- what clients see

    def query(self) -> Query:
        """The whole roster."""
        items = (contact.item for contact in self._contacts.values())
        return Query(self.version, tuple(item for item in items if item is not None))

    @property
    def version(self) -> str:
        """Names what `query` holds (§2.6): the same for the same items, so that a version whose change was lost with
        the power can never stand for something else.

        It is a sum, so that a change costs one item of it, and not the whole roster."""
        if self._sum is None:
            self._sum = sum(map(_digest, self._contacts.values()))
        return f"{self._sum % _DIGESTS:032x}"

    # -- presence

    @property
    def subscribers(self) -> Audience:
        """The contacts that see the account's presence."""
        if self._subscribers is None:
            self._subscribers = self._audience(contact.jid for contact in self.contacts if contact.state.shares)
        return self._subscribers

    @property
    def contributors(self) -> Audience:
        """The contacts whose presence the account sees."""
        if self._contributors is None:
            self._contributors = self._audience(contact.jid for contact in self.contacts if contact.state.receives)
        return self._contributors

    def _audience(self, jids: Iterable[JID]) -> Audience:
        local, remote = [], []
        for jid in jids:
            if jid.local and jid.domain == self.owner.domain:
                local.append((jid.local, written_to(jid), jid))
            else:
                remote.append(jid)
        return Audience(tuple(local), tuple(remote))


def _digest(contact: Contact) -> int:
    """What an item adds to the version; nothing where the roster doesn't show the contact."""
    if (item := contact.item) is None:
        return 0
    text = json.dumps(item.to_json(), sort_keys=True)
    return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest())


def may_see(account: Account, asker: JID) -> bool:
    """Whether somebody may know of an account, because its presence is shown to them or because it is their own."""
    if asker.bare == account.jid:
        return True
    roster = account.find(Roster)
    return roster is not None and roster.shares_with(asker)


def written_to(jid: JID) -> bytes:
    """The attribute `to`, as it goes between the halves that `splice_to` makes."""
    return f" to='{escape_attribute(jid.text)}'".encode()
