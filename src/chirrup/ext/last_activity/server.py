"""Uptime of the server, and how long its accounts are away."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import StanzaError
from chirrup.core.record import record
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.last_activity import NS
from chirrup.ext.last_activity.payloads import LastActivity as Activity
from chirrup.ext.roster.roster import may_see
from chirrup.server import hooks
from chirrup.server.module import Addressee, Module, Request, Session, Xep, iq_get

_MAX_STATUS: Final = 1024


@record
class LastStatus:
    """What an account's latest presence says, if it was unavailable presence. Kept with the account."""

    text: str


class LastActivity(Module):
    """Tells how long the server has been up, and an account away."""

    xeps = (Xep(12, "2.0"),)
    features = (NS,)
    account_features = (NS,)

    @iq_get(Activity)
    def uptime(self, request: Request[Activity]) -> Activity:
        """Anybody may ask."""
        return Activity(self._since(self.host.server.started))

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
        if not self.host.anonymous:
            accounts = self.host.store.accounts
            self.host.server.spawn(accounts.note_login(self.host.name, session.jid.local, session.since))

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
