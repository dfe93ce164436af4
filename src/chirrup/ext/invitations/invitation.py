"""What an invitation is, its link, and where invitations are kept.

Server and command line write to the same place, so nothing of it is cached."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from chirrup.core.errors import ChirrupError
from chirrup.core.record import record
from chirrup.store.invitations import InvitationRows, Row

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store

MOST_DAYS: Final = 36_500
_SHOWN: Final = 86_400.0
"""Seconds for which an expired invitation is kept: a stream that has shown it before may use it still (XEP-0445 §5)."""
_FORGOTTEN: Final = 100
"""Expired ones that a new one lets be forgotten, at most."""


@record
class Invitation:
    """Something that can be done once by whoever has its token."""

    inviter: str = ""
    """The bare JID that becomes a contact of whoever comes; "" for an invitation of the operator's."""
    username: str = ""
    """The localpart that is reserved; "" to have it chosen."""
    may_register: bool = True
    expires: float | None = None
    """Seconds since 1970; None for never."""
    maker: str = ""
    """The bare JID of the user who made it; "" for one that the operator made."""

    def is_good(self, now: float) -> bool:
        """Whether it hasn't expired."""
        return self.expires is None or self.expires > now

    def link(self, host: str, token: str) -> str:
        """The xmpp: URI that chat programs open."""
        if self.inviter and not self.username:
            return f"xmpp:{_written(self.inviter)}?roster;preauth={token}" + (";ibr=y" if self.may_register else "")
        who = f"{_written(self.username)}@" if self.username else ""
        return f"xmpp:{who}{host}?register;preauth={token}"


class Invitations:
    """The invitations of a host that can still be used."""

    def __init__(self, store: Store, host: str) -> None:
        self._store = store
        self._host = host

    async def create(self, invitation: Invitation, *, now: float, most: int | None = None) -> str:
        """Keep an invitation and return its token; durable then. Those that have expired are forgotten by and by.

        Raises ChirrupError for a username that is reserved already, and beyond `most` invitations of one maker."""
        token = secrets.token_hex(16)

        def put(connection: Connection) -> None:
            rows = InvitationRows(connection)
            if invitation.username and rows.reserved(self._host, invitation.username, now):
                raise ChirrupError(f"somebody else is invited as {invitation.username}")
            if most is not None and rows.open(self._host, invitation.maker, now, most) == most:
                raise ChirrupError(f"{most} of your invitations are open; wait until they are used or have expired")
            rows.expire(self._host, now - _SHOWN, _FORGOTTEN)
            rows.add(self._host, token, Row(**asdict(invitation)))

        await self._store.submit(put)
        return token

    async def find(self, token: str, *, now: float) -> Invitation | None:
        """The invitation with this token, if it is one and hasn't expired."""
        row = await self._store.read(lambda connection: InvitationRows(connection).find(self._host, token))
        invitation = None if row is None else Invitation(*row)
        return invitation if invitation is not None and invitation.is_good(now) else None

    async def use(self, token: str) -> bool:
        """It can't be used any more; whether it could. Durable when this returns."""
        return await self._store.submit(lambda connection: self.use_within(connection, token))

    def use_within(self, connection: Any, token: str) -> bool:
        """As `use`, within somebody's transaction."""
        return InvitationRows(connection).use(self._host, token)

    async def reserved(self, username: str, *, now: float) -> bool:
        """Whether that name is kept for somebody who was invited."""
        return await self._store.read(lambda connection: InvitationRows(connection).reserved(self._host, username, now))


def _written(text: str) -> str:
    return quote(text, safe="@!$*()~'")
