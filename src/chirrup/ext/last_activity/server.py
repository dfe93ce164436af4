"""Uptime of the server, and how long its accounts are away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chirrup.core.errors import StanzaError
from chirrup.core.record import record
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.last_activity import NS
from chirrup.ext.last_activity.payloads import LastActivity as Activity
from chirrup.ext.roster.roster import may_see
from chirrup.server import hooks
from chirrup.server.module import Account, Addressee, Module, Request, Session, Xep, iq_get

if TYPE_CHECKING:
    from chirrup.net.clock import Timer
    from chirrup.server.host import Host

_MAX_STATUS: Final = 1024
_GATHERED: Final = 1.0
"""Seconds for which log-ins are gathered before they are written down."""


@record
class LastStatus:
    """What an account's latest presence says, if it was unavailable presence. Kept with the account."""

    text: str


class LastActivity(Module):
    """Tells how long the server has been up, and an account away."""

    xeps = (Xep(12, "2.0"),)
    features = (NS,)
    account_features = (NS,)

    def __init__(self, host: Host, settings: Any) -> None:
        super().__init__(host, settings)
        self._logins: dict[str, float] = {}  # those that aren't written down yet: when, by localpart
        self._writing: Timer | None = None

    async def stop(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        self._write_logins()

    @iq_get(Activity)
    def uptime(self, request: Request[Activity]) -> Activity:
        """Anybody may ask."""
        return Activity(int(self.host.server.uptime))

    @iq_get(Activity, to=(Addressee.OWN, Addressee.ACCOUNT), even_missing=True)
    async def away(self, request: Request[Activity]) -> Activity:
        """Only those who may see the account's presence (XEP-0012 §3); to others every account is the same."""
        account = request.account
        if account is None or not may_see(account, request.sender):
            raise StanzaError("forbidden")
        if account.sessions:
            return Activity(0)
        known = await self.host.store.accounts.info(self.host.name, account.jid.local)
        if known is None or known.last_logout is None:
            raise StanzaError("item-not-found", "the account was never used")
        return Activity(self._since(known.last_logout), known.last_status)

    def _since(self, moment: float) -> int:
        return max(0, int(self.host.clock.time() - moment))

    @hooks.presence_out()
    def note_status(self, session: Session, stanza: Element) -> None:
        text = stanza.child_text("status", CLIENT) if stanza.attrs.get("type") == "unavailable" else ""
        session.account.put(LastStatus(text[:_MAX_STATUS]))

    @hooks.session_bound()
    def note_login(self, session: Session) -> None:
        """Log-ins are written down together, as nobody waits for that: it would be a tenth of what each costs."""
        if self.host.anonymous:
            return
        if not self._logins:
            self._writing = self.host.clock.call_later(_GATHERED, self._write_logins)
        self._logins[session.jid.local] = session.since

    def _write_logins(self) -> None:
        logins, self._logins = self._logins, {}
        if logins:
            self.host.server.spawn(self.host.store.accounts.note_logins(self.host.name, logins))

    @hooks.account_removed()
    def forget_login(self, account: Account) -> None:
        """It isn't to be noted of a new account of that name."""
        self._logins.pop(account.jid.local, None)

    @hooks.session_closed()
    def note_logout(self, session: Session) -> None:
        """Write down when an account's last session ends."""
        account = session.account
        if account.sessions or self.host.anonymous:
            return
        said = account.find(LastStatus)
        self.host.server.spawn(
            self.host.store.accounts.note_logout(
                self.host.name, account.jid.local, self.host.clock.time(), said.text if said else ""
            )
        )
