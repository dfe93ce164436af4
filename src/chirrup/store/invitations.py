"""Invitations: what can be done once by whoever has a token."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, text

_GOOD: Final = "(expires IS NULL OR expires > :now)"
_ADD: Final = text(
    "INSERT INTO invitation (host, token, inviter, username, may_register, expires, maker) "
    "VALUES (:host, :token, :inviter, :username, :may_register, :expires, :maker)"
)
_FIND: Final = text(
    "SELECT inviter, username, may_register, expires, maker FROM invitation WHERE host = :host AND token = :token"
)
_RESERVED: Final = text(f"SELECT 1 FROM invitation WHERE host = :host AND username = :username AND {_GOOD} LIMIT 1")
_OPEN: Final = text(
    "SELECT count(*) FROM (SELECT 1 FROM invitation "
    f"WHERE maker = :maker AND host = :host AND {_GOOD} LIMIT :most) AS found"
)
_USE: Final = text("DELETE FROM invitation WHERE host = :host AND token = :token")
_EXPIRED: Final = text(
    "DELETE FROM invitation WHERE host = :host AND token IN "
    "(SELECT token FROM invitation WHERE host = :host AND expires <= :before ORDER BY expires LIMIT :limit)"
)
_FORGET: Final = (
    text("DELETE FROM invitation WHERE maker = :owner"),
    text("DELETE FROM invitation WHERE inviter = :owner"),
)


class Row(NamedTuple):
    """What is stored of an invitation; see `ext.invitations.invitation.Invitation`."""

    inviter: str
    username: str
    may_register: bool
    expires: float | None
    maker: str


class InvitationRows:
    """Invitations, within somebody's transaction. Times in seconds since 1970."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, host: str, token: str, row: Row) -> None:
        self._connection.execute(_ADD, {"host": host, "token": token, **row._asdict()})

    def find(self, host: str, token: str) -> Row | None:
        found = self._connection.execute(_FIND, {"host": host, "token": token}).first()
        return None if found is None else Row(*found)._replace(may_register=bool(found.may_register))

    def reserved(self, host: str, username: str, now: float) -> bool:
        """Whether one that hasn't expired is for that name."""
        return self._connection.execute(_RESERVED, {"host": host, "username": username, "now": now}).first() is not None

    def open(self, host: str, maker: str, now: float, most: int) -> int:
        """How many of somebody haven't expired; counted up to `most`."""
        values = {"host": host, "maker": maker, "now": now, "most": most}
        found: int = self._connection.execute(_OPEN, values).scalar_one()
        return found

    def use(self, host: str, token: str) -> bool:
        """It is no more; whether it was."""
        return self._connection.execute(_USE, {"host": host, "token": token}).rowcount > 0

    def expire(self, host: str, before: float, limit: int) -> None:
        """Forget those that expired before that, but not more than `limit`."""
        self._connection.execute(_EXPIRED, {"host": host, "before": before, "limit": limit})

    def forget(self, owner: str) -> None:
        """Forget what an account has made, and what would make somebody its contact."""
        for statement in _FORGET:
            self._connection.execute(statement, {"owner": owner})
