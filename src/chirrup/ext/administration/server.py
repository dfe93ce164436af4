"""Service administration at the server: commands for those who may, by configuration or by another administrator."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.ext.administration import NS
from chirrup.ext.administration.accounts import Accounts
from chirrup.ext.administration.announcements import Notices
from chirrup.ext.administration.appointed import Appointed
from chirrup.ext.administration.overviews import Overviews
from chirrup.ext.administration.service import Service
from chirrup.ext.commands.execution import Command
from chirrup.ext.commands.server import Commands
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Session, Xep


class Administration(Module):
    """Lets administrators manage accounts and tell everybody something, with any client that knows commands."""

    needs = ("commands",)
    xeps = (Xep(133, "1.3.1", "without black and white lists"),)
    needs_accounts = True

    async def start(self) -> None:
        self._appointed = Appointed(self.host)
        await self._appointed.load()
        self._notices = Notices(self.host)
        await self._notices.load()
        commands = self.need(Commands)
        commands.know(f"{NS}#")
        groups = Accounts(self.host), Overviews(self.host), self._notices, Service(self.host, self._appointed)
        for group in groups:
            for name, label, run in group.commands():
                commands.add(Command(f"{NS}#{name}", label, run, allowed=self.is_admin))

    def is_admin(self, jid: JID) -> bool:
        """Whether somebody may administer this host: `admins` of the configuration, and those they appointed."""
        return self._appointed.has(jid.bare)

    @hooks.account_removed()
    async def dismiss(self, account: Account) -> None:
        """Whoever comes to have the address next is no administrator because of that."""
        if account.jid in self._appointed.jids:
            await self._appointed.dismiss(account.jid)

    @hooks.session_available()
    def greet(self, session: Session) -> None:
        """Somebody comes online."""
        self._notices.greet(session)
