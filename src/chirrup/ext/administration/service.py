"""Commands about the service itself: who administers it, and its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chirrup.core.errors import ChirrupError
from chirrup.ext.administration import forms
from chirrup.ext.administration.announcements import tell_all
from chirrup.ext.administration.appointed import Appointed
from chirrup.ext.administration.common import Entry, Group
from chirrup.ext.commands.execution import Execution, Failed, Outcome

if TYPE_CHECKING:
    from chirrup.server.host import Host


class Service(Group):
    """XEP-0133 §4.29 to §4.31."""

    def __init__(self, host: Host, appointed: Appointed) -> None:
        super().__init__(host)
        self._appointed = appointed

    def commands(self) -> Iterable[Entry]:
        return (
            ("edit-admin", "Edit the list of administrators", self._edit_admins),
            ("restart", "Restart the service", self._restart),
            ("shutdown", "Shut down the service", self._shut_down),
        )

    async def _edit_admins(self, execution: Execution) -> Outcome:
        everybody = {*self._appointed.configured, *self._appointed.jids}
        asked = await execution.ask(forms.EditAdmins, adminjids=tuple(sorted(everybody, key=str)))
        wanted = set(asked.adminjids) - self._appointed.configured
        await self.existing(
            sorted(wanted - self._appointed.jids, key=str)
        )  # or whoever registers the name would be one
        await self._appointed.become(wanted)
        appointed = ", ".join(sorted(jid.text for jid in wanted)) or "nobody"
        return self.done(execution, f"administrators, beside those of the configuration: {appointed}")

    async def _restart(self, execution: Execution) -> Outcome:
        asked = await execution.ask(forms.Restart)
        server = self.host.server
        if not server.restartable:
            raise Failed("whoever runs this server doesn't start it again")
        try:
            server.check()
        except ChirrupError as error:
            raise Failed(f"it would not start again: {error}") from None
        return self._end(execution, asked, restart=True)

    async def _shut_down(self, execution: Execution) -> Outcome:
        return self._end(execution, await execution.ask(forms.ShutDown), restart=False)

    def _end(self, execution: Execution, asked: forms.Restart | forms.ShutDown, *, restart: bool) -> Outcome:
        server = self.host.server

        def end() -> None:
            server.restart_requested = restart
            server.stop_requested.set()

        if asked.announcement:
            tell_all(self.host, "\n".join(asked.announcement))
        self.host.clock.call_later(int(asked.delay), end)
        return self.done(execution, f"the service {'restarts' if restart else 'shuts down'} in {asked.delay} seconds")
