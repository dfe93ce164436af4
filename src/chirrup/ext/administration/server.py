"""Service administration at the server: commands for those who may, by configuration or by another administrator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.jid import JID
from chirrup.core.sasl import ScramKeys
from chirrup.ext.administration import NS, forms
from chirrup.ext.administration.announcements import Notice, tell
from chirrup.ext.commands.execution import Command, Execution, Failed, Outcome
from chirrup.ext.commands.server import Commands
from chirrup.ext.forms.payloads import Form
from chirrup.ext.roster.payloads import Query
from chirrup.ext.roster.roster import Roster
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Session, Xep

_LONGEST_LIST: Final = 10_000
"""Accounts that a list may have; more don't fit into a stanza."""


class Administration(Module):
    """Lets administrators manage accounts and tell everybody something, with any client that knows commands."""

    needs = ("commands",)
    xeps = (Xep(133, "1.3.1", "without black and white lists, idle users and restarts"),)
    needs_accounts = True

    async def start(self) -> None:
        self._admins = self.host.store.map("admins")
        self._appointed = {JID(jid) for jid in await self._admins.all(self.host.name)}
        self._motd, self._welcome = Notice(self.host, "motd"), Notice(self.host, "welcome")
        await self._motd.load()
        await self._welcome.load()
        commands = self.need(Commands)
        for name, label, run in self._commands():
            commands.add(Command(f"{NS}#{name}", label, run, allowed=self.is_admin))

    def is_admin(self, jid: JID) -> bool:
        """Whether somebody may administer this host: `admins` of the configuration, and those they appointed."""
        return jid.bare.text in self.host.config.admins or jid.bare in self._appointed

    def _commands(self) -> tuple[tuple[str, str, Callable[[Execution], Awaitable[Outcome]]], ...]:
        return (
            ("add-user", "Add a user", self._add_user),
            ("delete-user", "Delete users", self._delete_users),
            ("disable-user", "Disable users", self._disable_users),
            ("reenable-user", "Enable users again", self._enable_users),
            ("end-user-session", "End sessions", self._end_sessions),
            ("change-user-password", "Change a user's password", self._change_password),
            ("get-user-roster", "Show a user's roster", self._roster),
            ("get-user-lastlogin", "Show a user's last log-in", self._last_login),
            ("user-stats", "Show a user's statistics", self._statistics),
            ("get-registered-users-num", "Count the users", self._count_registered),
            ("get-disabled-users-num", "Count the disabled users", self._count_disabled),
            ("get-online-users-num", "Count who is online", self._count_online),
            ("get-registered-users-list", "List the users", self._list_registered),
            ("get-disabled-users-list", "List the disabled users", self._list_disabled),
            ("get-online-users-list", "List who is online", self._list_online),
            ("announce", "Tell everybody who is online", self._announce),
            ("set-motd", "Set the message of the day", self._set_motd),
            ("edit-motd", "Edit the message of the day", self._edit_motd),
            ("delete-motd", "Delete the message of the day", self._delete_motd),
            ("set-welcome", "Set the welcome message", self._set_welcome),
            ("delete-welcome", "Delete the welcome message", self._delete_welcome),
            ("edit-admin", "Edit the list of administrators", self._edit_admins),
            ("shutdown", "Shut down the service", self._shut_down),
        )

    # -- accounts

    async def _add_user(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.AddUser)
        jid = self._own(asked.accountjid)
        if asked.password != asked.password_verify:
            raise Failed("the two passwords differ")
        keys = await self._keys(asked.password)
        if await self.host.store.accounts.create_many(
            self.host.name, [(jid.local, keys)], created=self.host.clock.time()
        ):
            raise Failed(f"{jid} exists already")
        return self._done(execution, f"{jid} was added")

    async def _delete_users(self, execution: Execution) -> Outcome:
        async def delete(jid: JID) -> bool:
            return await self.host.remove_account(jid.local)

        asked = await execution.ask(forms.DeleteUser)
        return await self._each(execution, asked.accountjids, delete, "deleted")

    async def _disable_users(self, execution: Execution) -> Outcome:
        async def disable(jid: JID) -> bool:
            if not await self.host.store.accounts.set_disabled(self.host.name, jid.local, True):
                return False
            self._end(jid, "the account was disabled")
            return True

        asked = await execution.ask(forms.DisableUser)
        return await self._each(execution, asked.accountjids, disable, "disabled")

    async def _enable_users(self, execution: Execution) -> Outcome:
        async def enable(jid: JID) -> bool:
            return await self.host.store.accounts.set_disabled(self.host.name, jid.local, False)

        asked = await execution.ask(forms.ReenableUser)
        return await self._each(execution, asked.accountjids, enable, "enabled")

    async def _each(
        self, execution: Execution, jids: tuple[JID, ...], do: Callable[[JID], Awaitable[bool]], what: str
    ) -> Outcome:
        """Do something with each account, once all of them are known to be this host's."""
        own = [self._own(jid) for jid in jids]
        if any(jid == execution.requester.bare for jid in own):
            raise Failed("that would be your own account")
        missing = [jid for jid in own if not await do(jid)]
        if missing:
            raise Failed(f"there is no account {', '.join(map(str, missing))}")
        return self._done(execution, f"{', '.join(map(str, own))}: {what}")

    async def _end_sessions(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.EndSession)
        ended = sum(self._end(self._own(jid, full=True), "ended by an administrator") for jid in asked.accountjids)
        return self._done(execution, f"{ended} {'session' if ended == 1 else 'sessions'} ended")

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
        jid = self._own(asked.accountjid)
        keys = await self._keys(asked.password)
        if not await self.host.store.accounts.set_keys(self.host.name, jid.local, keys):
            raise Failed(f"there is no account {jid}")
        return self._done(execution, f"the password of {jid} was changed")

    async def _keys(self, password: str) -> tuple[ScramKeys, ...]:
        try:
            return await self.host.server.credentials.make(password)
        except ValueError:
            raise Failed("the password has characters that passwords can't have") from None

    # -- one account

    async def _roster(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.RosterOf)
        account = await self._account(asked.accountjids[0])
        contacts = tuple(contact.item for contact in account.get(Roster).contacts if contact.item)
        told = forms.RosterOf(accountjids=(account.jid,)).filled("result")
        return Form(told.type, told.title, fields=told.fields, extensions=(Query(items=contacts).to_element(),))

    async def _last_login(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.LastLogin)
        jid = (await self._account(asked.accountjids[0])).jid
        known = await self.host.store.accounts.info(self.host.name, jid.local)
        when = known.last_login if known else None
        return forms.LastLogin(
            accountjids=(jid,), lastlogin=datetime.fromtimestamp(round(when), UTC) if when is not None else None
        )

    async def _statistics(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.OneUser)
        account = await self._account(asked.accountjid)
        sessions = account.sessions.values()
        return forms.UserStatistics(
            ipaddresses=tuple(sorted({getattr(session.wire, "peer", "") for session in sessions} - {""})),
            rostersize=len(account.get(Roster)),
            onlineresources=tuple(account.sessions),
        )

    async def _account(self, jid: JID) -> Account:
        account = await self.host.load(self._own(jid).local)
        if account is None:
            raise Failed(f"there is no account {jid}")
        return account

    def _own(self, jid: JID, *, full: bool = False) -> JID:
        """An address of one of this host's accounts, as XEP-0133 wants it: bare, where no session is meant."""
        if jid.domain != self.host.jid.domain or not jid.local or (jid.resource and not full):
            raise Failed(f"{jid} is no account of {self.host.name}")
        return jid

    # -- all accounts

    async def _count_registered(self, execution: Execution) -> Outcome:
        return forms.Registered(registeredusersnum=await self.host.store.accounts.count(self.host.name))

    async def _count_disabled(self, execution: Execution) -> Outcome:
        return forms.Disabled(disabledusersnum=await self.host.store.accounts.count(self.host.name, disabled=True))

    async def _count_online(self, execution: Execution) -> Outcome:
        return forms.Online(onlineusersnum=len(self._online()))

    async def _list_registered(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.RegisteredList(registereduserjids=await self._names(most, disabled=None))

    async def _list_disabled(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.DisabledList(disableduserjids=await self._names(most, disabled=True))

    async def _list_online(self, execution: Execution) -> Outcome:
        most = _most(await execution.ask(forms.ListUsers))
        return forms.OnlineList(onlineuserjids=_cut(self._online(), most))

    async def _names(self, most: int, *, disabled: bool | None) -> tuple[JID, ...]:
        names = await self.host.store.accounts.names(self.host.name, limit=most + 1, disabled=disabled)
        return _cut([JID.of(name, self.host.name) for name in names], most)

    def _online(self) -> list[JID]:
        return sorted([account.jid for account in self.host.accounts.values() if account.available], key=str)

    # -- what everybody is told

    async def _announce(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.Announce)
        told = self._tell_all(asked.announcement)
        return self._done(execution, f"{told} {'client was' if told == 1 else 'clients were'} told")

    def _tell_all(self, lines: tuple[str, ...]) -> int:
        sessions = [session for session in self.host.sessions() if session.presence is not None]
        for session in sessions:
            tell(session, "\n".join(lines))
        return len(sessions)

    async def _set_motd(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.MessageOfTheDay)
        await self._motd.set("\n".join(asked.motd), anew=True)
        self.host.server.spawn(self._give_all())
        return self._done(execution, "the message of the day was set")

    async def _give_all(self) -> None:
        for session in [session for session in self.host.sessions() if session.presence is not None]:
            await self._motd.give(session)

    async def _edit_motd(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.MessageOfTheDay, motd=self._motd.text.split("\n"))
        await self._motd.set("\n".join(asked.motd), anew=not self._motd.text)
        return self._done(execution, "the message of the day was changed; who has had it doesn't get it again")

    async def _delete_motd(self, execution: Execution) -> Outcome:
        await self._motd.delete()
        return self._done(execution, "the message of the day was deleted")

    async def _set_welcome(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.Welcome, welcome=self._welcome.text.split("\n") if self._welcome.text else ())
        await self._welcome.set("\n".join(asked.welcome), anew=not self._welcome.text)
        return self._done(execution, "the welcome message was set")

    async def _delete_welcome(self, execution: Execution) -> Outcome:
        await self._welcome.delete()
        return self._done(execution, "the welcome message was deleted")

    @hooks.session_available()
    def greet(self, session: Session) -> None:
        """Somebody comes online."""
        if self._motd.text or self._welcome.text:
            self.host.server.spawn(self._greet(session))

    async def _greet(self, session: Session) -> None:
        if self._welcome.text:
            known = await self.host.store.accounts.info(self.host.name, session.jid.local)
            if known is not None and known.created >= self._welcome.since:
                await self._welcome.give(session)
        if self._motd.text:
            await self._motd.give(session)

    # -- the service

    async def _edit_admins(self, execution: Execution) -> Outcome:
        everybody = {*map(JID, self.host.config.admins), *self._appointed}
        asked = await execution.ask(forms.EditAdmins, adminjids=tuple(sorted(everybody, key=str)))
        wanted = {self._own(jid) for jid in asked.adminjids} - set(map(JID, self.host.config.admins))
        for jid in wanted - self._appointed:
            await self._admins.set(self.host.name, jid.text, "")
        for jid in self._appointed - wanted:
            await self._admins.delete(self.host.name, jid.text)
        self._appointed = wanted
        return self._done(execution, "the list of administrators was changed")

    async def _shut_down(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.ShutDown)
        if asked.announcement:
            self._tell_all(asked.announcement)
        self.host.clock.call_later(int(asked.delay), self.host.server.stop_requested.set)
        return self._done(execution, f"the service shuts down in {asked.delay} seconds")

    def _done(self, execution: Execution, text: str) -> str:
        """Every change is logged with who made it."""
        self.host.log.info(text, by=execution.requester.bare.text)
        return text


def _most(asked: forms.ListUsers) -> int:
    return _LONGEST_LIST if asked.max_items == "none" else int(asked.max_items)


def _cut(jids: list[JID], most: int) -> tuple[JID, ...]:
    """At most so many; a list that would be endless is refused (§4.18)."""
    if len(jids) > most == _LONGEST_LIST:
        raise Failed(f"there are more than {_LONGEST_LIST}; ask for fewer")
    return tuple(jids[:most])
