"""Commands about accounts: to add, change and remove them, and to look at one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from chirrup.core.errors import StanzaError, StreamError
from chirrup.core.jid import JID
from chirrup.core.sasl import ScramKeys
from chirrup.ext.administration import forms
from chirrup.ext.administration.common import Entry, Group
from chirrup.ext.commands.execution import Execution, Failed, Outcome
from chirrup.ext.forms.payloads import Form
from chirrup.ext.roster.payloads import Query
from chirrup.ext.roster.roster import Roster
from chirrup.server.module import Account


class Accounts(Group):
    """XEP-0133 §4.1 to §4.10, but for passwords that are to be told: nobody has them."""

    def commands(self) -> Iterable[Entry]:
        return (
            ("add-user", "Add a user", self._add),
            ("delete-user", "Delete users", self._delete),
            ("disable-user", "Disable users", self._disable),
            ("reenable-user", "Enable users again", self._enable),
            ("end-user-session", "End sessions", self._end_sessions),
            ("change-user-password", "Change a user's password", self._change_password),
            ("get-user-roster", "Show a user's roster", self._roster),
            ("get-user-lastlogin", "Show a user's last log-in", self._last_login),
            ("user-stats", "Show a user's statistics", self._statistics),
        )

    async def _add(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.AddUser)
        jid = self.own(asked.accountjid)
        if asked.password != asked.password_verify:
            raise Failed("the two passwords differ")
        keys = await self._keys(asked.password)
        if await self.host.store.accounts.create_many(
            self.host.name, [(jid.local, keys)], created=self.host.clock.time()
        ):
            raise StanzaError("conflict", f"{jid} exists already")
        return self.done(execution, f"{jid} was added")

    async def _delete(self, execution: Execution) -> Outcome:
        async def delete(jid: JID) -> bool:
            return await self.host.remove_account(jid.local)

        asked = await execution.ask(forms.DeleteUser)
        return await self._each(execution, asked.accountjids, delete, "deleted")

    async def _disable(self, execution: Execution) -> Outcome:
        async def disable(jid: JID) -> bool:
            disabled = await self.host.store.accounts.set_disabled(self.host.name, jid.local, True)
            self._end(jid, "the account was disabled")
            return disabled

        asked = await execution.ask(forms.DisableUser)
        return await self._each(execution, asked.accountjids, disable, "disabled")

    async def _enable(self, execution: Execution) -> Outcome:
        async def enable(jid: JID) -> bool:
            return await self.host.store.accounts.set_disabled(self.host.name, jid.local, False)

        asked = await execution.ask(forms.ReenableUser)
        return await self._each(execution, asked.accountjids, enable, "enabled")

    async def _each(
        self, execution: Execution, jids: tuple[JID, ...], do: Callable[[JID], Awaitable[bool]], what: str
    ) -> Outcome:
        """Do something with each account, or nothing with any where one of them isn't there."""
        own = await self.existing(jids)
        if execution.requester.bare in own:
            raise Failed("that would be your own account")
        done = [jid.text for jid in own if await do(jid)]
        return self.done(execution, f"{', '.join(done) or 'nobody'}: {what}")

    async def _end_sessions(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.EndSession)
        jids = [self.own(jid, full=True) for jid in asked.accountjids]
        ended = sum(self._end(jid, "ended by an administrator") for jid in jids)
        return self.done(execution, f"{ended} {'session' if ended == 1 else 'sessions'} ended")

    def _end(self, jid: JID, why: str) -> int:
        """End an account's session of that resource, or all of them; how many there were."""
        account = self.host.accounts.get(jid.local)
        sessions = (
            [one for one in account.sessions.values() if jid.resource in ("", one.jid.resource)] if account else []
        )
        for session in sessions:
            session.wire.fail(StreamError("policy-violation", why))
        return len(sessions)

    async def _change_password(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.ChangePassword)
        jid = self.own(asked.accountjid)
        keys = await self._keys(asked.password)
        if not await self.host.store.accounts.set_keys(self.host.name, jid.local, keys):
            raise Failed(f"there is no account {jid}")
        self.host.password_changed(jid.local, spare=execution.requester)
        return self.done(execution, f"the password of {jid} was changed")

    async def _keys(self, password: str) -> tuple[ScramKeys, ...]:
        try:
            return await self.host.server.credentials.make(password)
        except ValueError:
            raise Failed("the password has characters that passwords can't have") from None

    # -- one account

    async def _roster(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.RosterOf)
        account = await self._only(asked.accountjids)
        contacts = tuple(contact.item for contact in account.get(Roster).contacts if contact.item)
        told = forms.RosterOf(accountjids=(account.jid,)).filled("result")
        return Form(told.type, told.title, fields=told.fields, extensions=(Query(items=contacts).to_element(),))

    async def _last_login(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.LastLogin)
        account = await self._only(asked.accountjids)
        known = await self.host.store.accounts.info(self.host.name, account.jid.local)
        times = [session.since for session in account.sessions.values()]  # the newest are written down by and by
        if known is not None and known.last_login is not None:
            times.append(known.last_login)
        last = datetime.fromtimestamp(round(max(times)), UTC) if times else None
        return forms.LastLogin(accountjids=(account.jid,), lastlogin=last)

    async def _statistics(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.OneUser)
        account = await self._only((asked.accountjid,))
        sessions = account.sessions.values()
        return forms.UserStatistics(
            ipaddresses=tuple(sorted({session.wire.peer for session in sessions} - {""})),
            rostersize=len(account.get(Roster)),
            onlineresources=tuple(account.sessions),
        )

    async def _only(self, jids: tuple[JID, ...]) -> Account:
        """The account that is meant; the XEP's form takes several, and its answer is about one."""
        if len(jids) != 1:
            raise Failed("one account at a time, please")
        account = await self.host.load(self.own(jids[0]).local)
        if account is None:
            raise Failed(f"there is no account {jids[0]}")
        return account
