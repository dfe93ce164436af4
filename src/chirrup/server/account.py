"""An account in memory: its sessions and what modules loaded for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chirrup.core.jid import JID
from chirrup.server.keeper import Keeper

if TYPE_CHECKING:
    from chirrup.server.host import Host
    from chirrup.server.redelivery import Remains
    from chirrup.server.session import Session


class Account(Keeper):
    """One account of a host while it is in memory, which it is whenever one of its sessions lives."""

    __slots__ = (
        "available", "blocked", "data", "host", "jid", "most_available", "non_negative", "redelivering", "sessions",
    )  # fmt: skip

    def __init__(self, host: Host, jid: JID) -> None:
        self.host = host
        self.jid = jid
        self.sessions: dict[str, Session] = {}
        """Every session with a bound resource, by resource."""
        self.available: tuple[Session, ...] = ()
        """The sessions that sent available presence."""
        self.non_negative: tuple[Session, ...] = ()
        """Those of them whose priority isn't negative."""
        self.most_available: tuple[Session, ...] = ()
        """Those of them that share the highest priority: who receives a message to the bare JID."""
        self.blocked: Callable[[JID], bool] | None = None
        """Whether an address is blocked (XEP-0191); None where none is, which `refuses` needn't be called to find. Set
        by the module that keeps the list."""
        self.redelivering: Remains | None = None
        """What its sessions have left and is being dealt with; messages that come meanwhile stand behind that."""
        self.data: dict[type, object] = {}

    def refuses(self, jid: JID) -> bool:
        """Whether nothing of an address may reach this account, and nothing of the account the address."""
        return self.blocked is not None and self.blocked(jid)

    def rank(self) -> None:
        """Work out anew who is available; called after a session's availability or priority has changed."""
        self.available = tuple(session for session in self.sessions.values() if session.presence is not None)
        self.non_negative = tuple(session for session in self.available if session.priority >= 0)
        highest = max((session.priority for session in self.non_negative), default=0)
        before = self.most_available
        self.most_available = tuple(session for session in self.non_negative if session.priority == highest)
        for session in self.most_available:
            if session not in before:
                session.most_available_since = self.host.clock.monotonic()
