"""What an invitation is, its link, and where invitations are kept.

Server and command line write to the same place, so nothing of it is cached."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chirrup.core.errors import ChirrupError
from chirrup.core.record import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store

MOST_DAYS: Final = 36_500
_SHOWN: Final = 86_400.0
"""Seconds for which an expired invitation is kept: a stream that has shown it before may use it still (XEP-0445 §5)."""


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
        self._map = store.map("invitations")
        self._host = host

    async def create(self, invitation: Invitation, *, now: float, most: int | None = None) -> str:
        """Keep an invitation and return its token; durable then. Those that have expired are forgotten by and by.

        Raises ChirrupError for a username that is reserved already, and beyond `most` invitations of one maker."""
        token = secrets.token_hex(16)

        def put(connection: Connection) -> None:
            rows = self._map.within(connection)
            kept = _read(rows.all(self._host))
            current = [one for one in kept.values() if one.is_good(now)]
            if invitation.username and any(one.username == invitation.username for one in current):
                raise ChirrupError(f"somebody else is invited as {invitation.username}")
            if most is not None and sum(one.maker == invitation.maker for one in current) >= most:
                raise ChirrupError(f"{most} of your invitations are open; wait until they are used or have expired")
            rows.delete(self._host, [token for token, one in kept.items() if not one.is_good(now - _SHOWN)])
            rows.set(self._host, token, json.dumps(asdict(invitation)))

        await self._store.submit(put)
        return token

    async def find(self, token: str, *, now: float) -> Invitation | None:
        """The invitation with this token, if it is one and hasn't expired."""
        text = await self._map.get(self._host, token)
        invitation = None if text is None else Invitation(**json.loads(text))
        return invitation if invitation is not None and invitation.is_good(now) else None

    async def withdraw(self, jid: str) -> None:
        """Forget what an account has made, and what would make somebody its contact. Durable when this returns."""

        def put(connection: Connection) -> None:
            rows = self._map.within(connection)
            kept = _read(rows.all(self._host))
            rows.delete(self._host, [token for token, one in kept.items() if jid in (one.maker, one.inviter)])

        await self._store.submit(put)

    async def use(self, token: str) -> bool:
        """It can't be used any more; whether it could. Durable when this returns."""
        return await self._map.delete(self._host, token) > 0

    def use_within(self, connection: Connection, token: str) -> bool:
        """As `use`, within somebody's transaction."""
        return self._map.within(connection).delete(self._host, [token]) > 0

    async def reserved(self, username: str, *, now: float) -> bool:
        """Whether that name is kept for somebody who was invited."""
        kept = _read(await self._map.all(self._host))
        return any(one.username == username and one.is_good(now) for one in kept.values())


def _read(kept: Mapping[str, str]) -> dict[str, Invitation]:
    return {token: Invitation(**json.loads(text)) for token, text in kept.items()}


def _written(text: str) -> str:
    return quote(text, safe="@!$*()~'")
