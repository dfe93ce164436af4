"""The stored copies of messages: one for each account that has part in a message, whether it is for its archive, waits
to be delivered, or both.

What is asked for within one turn of the loop, for the same account and stanza, is one row. It is handed to the store
when the turn ends, and until then it can be changed, or withdrawn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from chirrup.core.jid import JID
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.net.clock import Clock
    from chirrup.server.session import Origin
    from chirrup.store.messages import Messages

_OWNER: Final = 0
_ID: Final = 1
_ARCHIVED: Final = 5
_WAITING: Final = 6


class Copies:
    """Stores copies for the accounts of all hosts."""

    def __init__(self, messages: Messages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock
        self._row: list[Any] = [None] * 7
        self._stored: asyncio.Future[None] | None = None
        self._patient = False
        self._refused = False
        """Whether the store has refused it at once."""
        self._stanza: Element | None = None
        """Whose copy was made last."""
        self._children: list[Element | str] = []
        self._attributes: dict[str, str] = {}
        self.text = ""
        """The copy that was made last, as it is stored, of a stanza with these attributes and children."""

    def archive(self, owner: JID, stanza: Element, peer: JID, origin: Origin) -> int:
        """A copy for an account's archive, of a message from or to `peer`; its id. The origin is answered no more
        before it is stored."""
        row = self._copy(owner, stanza, peer, origin)
        row[_ARCHIVED] = True
        number: int = row[_ID]
        return number

    def keep(self, owner: JID, stanza: Element, peer: JID, origin: Origin) -> asyncio.Future[None]:
        """A copy that waits to be delivered to the account. Done when it is stored."""
        row = self._copy(owner, stanza, peer, origin)
        row[_WAITING] = True
        assert self._stored is not None
        return self._stored

    def withdraw(self, owner: JID, stanza: Element) -> None:
        """The message was refused: no copy of it is wanted."""
        if self._is_last(stanza) and self._row[_OWNER] == owner.text:
            self._row[_ARCHIVED] = self._row[_WAITING] = False

    def find(self, owner: JID, stanza: Element) -> int | None:
        """The id of the copy in the account's archive, if one was made just now."""
        row = self._row
        if self._is_last(stanza) and row[_OWNER] == owner.text and row[_ARCHIVED]:
            number: int = row[_ID]
            return number
        return None

    def _is_last(self, stanza: Element) -> bool:
        """Whether the copy that was made last, in this turn of the loop, is of that stanza."""
        if stanza is not self._stanza:
            return False
        return self._refused or self._stored is self._messages.adding(patient=self._patient)

    def _copy(self, owner: JID, stanza: Element, peer: JID, origin: Origin) -> list[Any]:
        messages = self._messages
        another = self._is_last(stanza)
        if another and self._row[_OWNER] == owner.text:
            return self._row
        if not another or stanza.children != self._children or stanza.attrs != self._attributes:
            self.text = stanza.to_bytes().decode()
            self._children = stanza.children.copy()
            self._attributes = stanza.attrs.copy()
        number = messages.next_id(self._clock.time())
        row: list[Any] = [owner.text, number, peer.bare.text, peer.resource, self.text, False, False]
        if not another:
            self._patient = origin.patient
        stored = messages.add(row, patient=self._patient)
        if not another:  # else the origin waits for it already
            origin.hold(stored, stanza)
        self._row, self._stored, self._stanza, self._refused = row, stored, stanza, stored.done()
        return row
