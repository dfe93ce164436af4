"""What the groups of administrative commands share: whose accounts they are about, and that each change is logged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from chirrup.core.jid import JID
from chirrup.ext.commands.execution import Execution, Failed, Outcome

if TYPE_CHECKING:
    from chirrup.server.host import Host

Entry: TypeAlias = tuple[str, str, Callable[[Execution], Awaitable[Outcome]]]
"""A command: the end of its node, what people see of it, and what it does."""


class Group(ABC):
    """Commands of one kind."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def commands(self) -> Iterable[Entry]:
        """Those of the group."""

    def own(self, jid: JID, *, full: bool = False) -> JID:
        """An address of one of this host's accounts, as XEP-0133 wants it: bare, where no session is meant. Raises
        Failed."""
        if jid.domain != self.host.jid.domain or not jid.local or (jid.resource and not full):
            raise Failed(f"{jid} is no account of {self.host.name}")
        return jid

    async def existing(self, jids: Iterable[JID]) -> list[JID]:
        """Addresses of accounts, once all of them are known to be there. Raises Failed."""
        own = [self.own(jid) for jid in jids]
        missing = [jid for jid in own if not await self.host.store.accounts.exists(self.host.name, jid.local)]
        if missing:
            raise Failed(f"there is no account {', '.join(map(str, missing))}")
        return own

    def done(self, execution: Execution, text: str) -> str:
        """Every change is logged with who made it."""
        self.host.log.info(text, by=execution.requester.bare.text)
        return text
