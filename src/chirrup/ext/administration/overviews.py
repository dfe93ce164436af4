"""Commands that count and list accounts: all, the disabled ones, and those of people who are online."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.jid import JID
from chirrup.ext.administration import forms
from chirrup.ext.administration.common import Entry, Group
from chirrup.ext.client_state.waiting import Waiting
from chirrup.ext.commands.execution import Execution, Failed, Outcome
from chirrup.server.module import Account, Session

_LONGEST_LIST: Final = 10_000
"""Accounts that a list may have; more don't fit into a stanza."""
_AWAY: Final = ("away", "xa")


class Overviews(Group):
    """XEP-0133 §4.13 to §4.22. Who is online is active or idle."""

    def commands(self) -> Iterable[Entry]:
        return (
            ("get-registered-users-num", "Count the users", self._count_registered),
            ("get-disabled-users-num", "Count the disabled users", self._count_disabled),
            ("get-online-users-num", "Count who is online", self._count_online),
            ("get-active-users-num", "Count who is active", self._count_active),
            ("get-idle-users-num", "Count who is idle", self._count_idle),
            ("get-registered-users-list", "List the users", self._list_registered),
            ("get-disabled-users-list", "List the disabled users", self._list_disabled),
            ("get-online-users-list", "List who is online", self._list_online),
            ("get-active-users", "List who is active", self._list_active),
            ("get-idle-users", "List who is idle", self._list_idle),
        )

    async def _count_registered(self, execution: Execution) -> Outcome:
        return forms.Registered(registeredusersnum=await self.host.store.accounts.count(self.host.name))

    async def _count_disabled(self, execution: Execution) -> Outcome:
        return forms.Disabled(disabledusersnum=await self.host.store.accounts.count(self.host.name, disabled=True))

    async def _count_online(self, execution: Execution) -> Outcome:
        return forms.Online(onlineusersnum=len(self._online()))

    async def _count_active(self, execution: Execution) -> Outcome:
        return forms.Active(activeusersnum=len(self._online(active=True)))

    async def _count_idle(self, execution: Execution) -> Outcome:
        return forms.Idle(idleusersnum=len(self._online(active=False)))

    async def _list_registered(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.RegisteredList(registereduserjids=await self._names(most, disabled=None))

    async def _list_disabled(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.DisabledList(disableduserjids=await self._names(most, disabled=True))

    async def _list_online(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.OnlineList(onlineuserjids=_cut(self._online(), most))

    async def _list_active(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.ActiveList(activeuserjids=_cut(self._online(active=True), most))

    async def _list_idle(self, execution: Execution) -> Outcome:
        """The XEP has no field of its own for these: its example takes that of the active ones (§4.22)."""
        most = _most(await execution.ask(forms.ListUsers))
        return forms.IdleList(activeuserjids=_cut(self._online(active=False), most))

    async def _names(self, most: int, *, disabled: bool | None) -> tuple[JID, ...]:
        names = await self.host.store.accounts.names(self.host.name, limit=most + 1, disabled=disabled)
        return _cut([JID.of(name, self.host.name) for name in names], most)

    def _online(self, *, active: bool | None = None) -> list[JID]:
        """Whose account has an available session; of them those who are active, or those who aren't."""
        accounts = [
            account
            for account in self.host.accounts.values()
            if account.available and active in (None, _is_active(account))
        ]
        return sorted([account.jid for account in accounts], key=str)


def _is_active(account: Account) -> bool:
    """Whether somebody looks at one of its sessions, as far as their clients tell."""
    return any(not _is_idle(session) for session in account.available)


def _is_idle(session: Session) -> bool:
    """Whether its client has lost its connection, is inactive (XEP-0352), or says that its user is away."""
    presence = session.presence
    away = presence is not None and presence.child_text("show") in _AWAY
    return session.detached or Waiting in session.data or away


def _most(asked: forms.ListUsers) -> int:
    return _LONGEST_LIST if asked.max_items == "none" else int(asked.max_items)


def _cut(jids: list[JID], most: int) -> tuple[JID, ...]:
    """At most so many; a list that would be endless is refused (§4.18)."""
    if len(jids) > most == _LONGEST_LIST:
        raise Failed(f"there are more than {_LONGEST_LIST}; ask for fewer")
    return tuple(jids[:most])
