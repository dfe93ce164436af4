"""What an account wants to have archived (XEP-0441). Kept with the account while it is in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.archive.payloads import Always, Default, Never, Preferences
from chirrup.ext.roster.roster import Roster

if TYPE_CHECKING:
    from chirrup.server.account import Account


@record
class Wishes:
    """The default, and the addresses for which something else holds."""

    default: Default
    always: frozenset[JID] = frozenset()
    never: frozenset[JID] = frozenset()

    def allow(self, account: Account, peer: JID) -> bool:
        """Whether messages from or to `peer` are archived (§2.2). A full JID that is listed counts before its bare
        one, and "never" before "always"."""
        if self.always or self.never:
            for jid in (peer, peer.bare):
                if jid in self.never:
                    return False
                if jid in self.always:
                    return True
        if self.default == "roster":
            roster = account.find(Roster)
            return roster is not None and roster.get(peer.bare).listed
        return self.default == "always"

    def to_payload(self) -> Preferences:
        return Preferences(self.default, Always(tuple(sorted(self.always))), Never(tuple(sorted(self.never))))

    @classmethod
    def from_payload(cls, payload: Preferences, default: Default) -> Self:
        """`default` is the server's, where the payload says nothing."""
        always = frozenset(payload.always.jids if payload.always else ())
        never = frozenset(payload.never.jids if payload.never else ())
        return cls(payload.default or default, always, never)

    def to_text(self) -> str:
        """As it is stored: a JSON object."""
        lists = {"always": self.always, "never": self.never}
        return json.dumps({"default": self.default, **{name: sorted(map(str, jids)) for name, jids in lists.items()}})

    @classmethod
    def from_text(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(fields["default"], *[frozenset(map(JID.parse, fields[name])) for name in ("always", "never")])
