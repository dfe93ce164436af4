"""A client's idleness, and since when others are away (XEP-0012)."""

from __future__ import annotations

from datetime import timedelta

from chirrup.client.client import Client
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_get
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.last_activity import NS
from chirrup.ext.last_activity.payloads import LastActivity
from chirrup.ext.roster.client import Roster


class LastActivities(Feature):
    """Tells for how long the client has been idle, and asks the same of others."""

    xeps = ((12, "2.0", ""),)
    features = (NS,)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._roster = self.need(Roster) if isinstance(entity, Client) else None
        self._active = entity.clock.monotonic()

    def active(self) -> None:
        """The program's user has just done something."""
        self._active = self.entity.clock.monotonic()

    async def of(self, jid: JID | str, *, timeout: float | None = None) -> tuple[timedelta, str]:
        """How long ago an account was last there (nothing while it is), a client active, or a server started; and
        what the account said last. Raises StanzaError where that isn't told."""
        answer = await self.entity.request(LastActivity(), to=jid, timeout=timeout)
        return timedelta(seconds=max(0, answer.seconds or 0)), answer.status

    @iq_get(LastActivity)
    def tell(self, request: Request[LastActivity]) -> LastActivity:
        """Only to those who may see the account's presence (§7)."""
        sender = request.sender
        contact = None if self._roster is None else self._roster.get(sender)
        may_know = contact is not None and contact.subscription in ("from", "both")
        if self._roster is not None and not may_know and sender.bare != self.entity.jid.bare:
            raise StanzaError("forbidden")
        return LastActivity(int(self.entity.clock.monotonic() - self._active))
