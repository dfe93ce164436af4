"""The addresses that an account blocks, in memory."""

from __future__ import annotations

from collections.abc import Iterable

from chirrup.core.jid import JID


class Blocked:
    """What one account blocks. Kept with the account.

    Neither the account itself is ever blocked, nor its host, whatever the list says: clients of an account talk with
    each other and with their server (XEP-0191 §5)."""

    __slots__ = ("_owner", "_texts", "jids")

    def __init__(self, owner: JID, jids: Iterable[JID] = ()) -> None:
        self._owner = owner
        self.jids: dict[JID, None] = {}
        """The list, in the order in which it grew."""
        self._texts: set[str] = set()
        self.add(jids)

    def __len__(self) -> int:
        return len(self.jids)

    def matches(self, jid: JID) -> bool:
        """Whether the list has an address, or what it is part of (§6)."""
        texts = self._texts
        if jid.text in texts or jid.bare.text in texts or jid.domain in texts:
            return jid.bare != self._owner and bool(jid.local or jid.domain != self._owner.domain)
        return False

    def add(self, jids: Iterable[JID]) -> None:
        for jid in jids:
            self.jids[jid] = None
            self._texts.add(jid.text)

    def discard(self, jids: Iterable[JID]) -> None:
        for jid in jids:
            self.jids.pop(jid, None)
            self._texts.discard(jid.text)
