"""Accounts: who may log in, with SCRAM keys in place of passwords, and when they last did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, text, update

from chirrup.core.errors import StoreError
from chirrup.core.record import record
from chirrup.core.sasl import ScramKeys
from chirrup.store import search
from chirrup.store.invitations import InvitationRows
from chirrup.store.pubsub import PubSubRows
from chirrup.store.schema import account, account_keys, log_entry, map_entry, message, single_value

if TYPE_CHECKING:
    from chirrup.store.store import Store

_CREATE = text(
    "INSERT INTO account (host, local, created, disabled, last_status) "
    "VALUES (:host, :local, :created, :disabled, '') ON CONFLICT DO NOTHING"
)


# What each log-in asks for and writes. SQLAlchemy would take longer to make these statements than SQLite to run them.
_LOGIN = text(
    "SELECT disabled, algorithm, salt, iterations, stored_key, server_key FROM account "
    "LEFT JOIN account_keys ON account_keys.host = account.host AND account_keys.local = account.local "
    "WHERE account.host = :host AND account.local = :local"
)
_EXISTS = text("SELECT 1 FROM account WHERE host = :host AND local = :local")
_NOTE_LOGIN = text("UPDATE account SET last_login = :last_login WHERE host = :host AND local = :local")


# Plain, since each new account is made room for by these.
_FORGET: Final = tuple(
    text(f"DELETE FROM {table.name} WHERE owner = :owner") for table in (single_value, map_entry, log_entry, message)
)


class AccountExists(StoreError):  # noqa: N818 - reads as the condition it is
    """There is an account of this name already."""


@record
class AccountInfo:
    """What is known of an account. Times in seconds since 1970."""

    created: float
    disabled: bool
    last_login: float | None
    last_logout: float | None
    """When it last had no more sessions."""
    last_status: str
    """The status text of its last unavailable presence (XEP-0012 §4)."""


@record
class LoginInfo:
    """What is needed to let somebody in."""

    disabled: bool
    keys: dict[str, ScramKeys]
    """By algorithm."""


class AccountRows:
    """Accounts, within somebody's transaction. Methods as in `Accounts`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, host: str, local: str, keys: Sequence[ScramKeys], *, created: float) -> None:
        if not self._create(host, local, keys, created):
            raise AccountExists(f"{local}@{host} exists already")

    def create_many(
        self, host: str, accounts: Iterable[tuple[str, Sequence[ScramKeys]]], *, created: float
    ) -> list[str]:
        return [local for local, keys in accounts if not self._create(host, local, keys, created)]

    def remove(self, host: str, local: str) -> bool:
        self._forget(host, local)
        PubSubRows(self._connection).part(f"{local}@{host}")
        return self._connection.execute(delete(account).where(*_is(host, local))).rowcount > 0

    def set_keys(self, host: str, local: str, keys: Sequence[ScramKeys]) -> bool:
        if not self.exists(host, local):
            return False
        where = account_keys.c.host == host, account_keys.c.local == local
        self._connection.execute(delete(account_keys).where(*where))
        self._add_keys(host, local, keys)
        tokens = map_entry.c.owner == f"{local}@{host}", map_entry.c.name == Accounts.TOKENS
        self._connection.execute(delete(map_entry).where(*tokens))
        return True

    def add_keys(self, host: str, local: str, keys: Sequence[ScramKeys]) -> None:
        known = self.keys(host, local)
        if known is not None:
            self._add_keys(host, local, [key for key in keys if key.algorithm not in known])

    def login(self, host: str, local: str) -> LoginInfo | None:
        rows = self._connection.execute(_LOGIN, {"host": host, "local": local}).all()
        if not rows:
            return None
        keys = {algorithm: ScramKeys(algorithm, *row) for _, algorithm, *row in rows if algorithm is not None}
        return LoginInfo(bool(rows[0][0]), keys)

    def keys(self, host: str, local: str) -> dict[str, ScramKeys] | None:
        found = self.login(host, local)
        return None if found is None else found.keys

    def exists(self, host: str, local: str) -> bool:
        return self._connection.execute(_EXISTS, {"host": host, "local": local}).first() is not None

    def names(self, host: str, *, after: str, limit: int, disabled: bool | None) -> list[str]:
        query = select(account.c.local).where(*_among(host, disabled), account.c.local > after)
        return list(self._connection.execute(query.order_by(account.c.local).limit(limit)).scalars())

    def count(self, host: str, *, disabled: bool | None) -> int:
        query = select(func.count()).select_from(account).where(*_among(host, disabled))
        return self._connection.execute(query).scalar_one()

    def hosts(self) -> list[str]:
        found: list[str] = []
        last: str | None = ""
        while last is not None:  # one each time: DISTINCT would read the whole index
            last = self._connection.execute(select(func.min(account.c.host)).where(account.c.host > last)).scalar()
            if last is not None:
                found.append(last)
        return found

    def info(self, host: str, local: str) -> AccountInfo | None:
        columns = account.c
        query = select(
            columns.created, columns.disabled, columns.last_login, columns.last_logout, columns.last_status
        ).where(*_is(host, local))
        row = self._connection.execute(query).first()
        return None if row is None else AccountInfo(*row)

    def change(self, host: str, local: str, **values: Any) -> bool:
        """Set columns of the account's row; whether there is one."""
        return self._connection.execute(update(account).where(*_is(host, local)).values(**values)).rowcount > 0

    def _create(self, host: str, local: str, keys: Sequence[ScramKeys], created: float) -> bool:
        row = {"host": host, "local": local, "created": float(created), "disabled": False}
        if self._connection.execute(_CREATE, row).rowcount == 0:
            return False
        # A write that came after a former account of this name was removed is not for the new one to read.
        self._forget(host, local)
        self._add_keys(host, local, keys)
        return True

    def _add_keys(self, host: str, local: str, keys: Sequence[ScramKeys]) -> None:
        rows = [
            {
                "host": host,
                "local": local,
                "algorithm": key.algorithm,
                "salt": key.salt,
                "iterations": key.iterations,
                "stored_key": key.stored_key,
                "server_key": key.server_key,
            }
            for key in keys
        ]
        if rows:
            self._connection.execute(insert(account_keys), rows)

    def _forget(self, host: str, local: str) -> None:
        """Delete everything that the bare JID owns."""
        owner = f"{local}@{host}"
        search.forget(self._connection, owner)
        for statement in _FORGET:
            self._connection.execute(statement, {"owner": owner})
        PubSubRows(self._connection).forget(owner)
        InvitationRows(self._connection).forget(owner)


def _note_logins(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(_NOTE_LOGIN, rows)


class Accounts:
    """The accounts of all hosts. `host` and `local` are parts of a prepared JID."""

    TOKENS: Final = "tokens"
    """The name of the map that has what stands in for an account's password, and goes with it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes = 0
        """How often this process has set passwords, disabled accounts or removed them: who has looked an account up
        sees by it that it's time to look again."""

    def within(self, connection: Connection) -> AccountRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return AccountRows(connection)

    def create(self, host: str, local: str, keys: Sequence[ScramKeys], *, created: float) -> asyncio.Future[None]:
        """A new account, which owns nothing. Fails with AccountExists."""
        return self._store.submit_in_order(
            lambda connection: AccountRows(connection).create(host, local, keys, created=created)
        )

    def create_many(
        self, host: str, accounts: Iterable[tuple[str, Sequence[ScramKeys]]], *, created: float
    ) -> asyncio.Future[list[str]]:
        """New accounts, all in one transaction. Those that exist already are left as they are, and returned."""
        batch = list(accounts)
        return self._store.submit_in_order(
            lambda connection: AccountRows(connection).create_many(host, batch, created=created)
        )

    def remove(self, host: str, local: str) -> asyncio.Future[bool]:
        """Delete the account, and in the same transaction all that its bare JID owns and all that it has to do with
        nodes of others; whether it was there. Its messages may be a great many: `Messages.clear` before."""
        self.changes += 1
        return self._store.submit_in_order(lambda connection: AccountRows(connection).remove(host, local))

    def set_keys(self, host: str, local: str, keys: Sequence[ScramKeys]) -> asyncio.Future[bool]:
        """Put these in place of all former keys, and of the tokens that clients had; whether the account is there."""
        self.changes += 1
        return self._store.submit(lambda connection: AccountRows(connection).set_keys(host, local, keys))

    def add_keys(self, host: str, local: str, keys: Sequence[ScramKeys]) -> asyncio.Future[None]:
        """Keep more keys of the same password: those of algorithms of which the account has none yet."""
        return self._store.submit(lambda connection: AccountRows(connection).add_keys(host, local, keys))

    def set_disabled(self, host: str, local: str, disabled: bool) -> asyncio.Future[bool]:
        """Whether the account is there."""
        self.changes += 1
        return self._store.submit(lambda connection: AccountRows(connection).change(host, local, disabled=disabled))

    def note_logins(self, host: str, logins: Mapping[str, float]) -> asyncio.Future[None]:
        """When accounts logged in last, by localpart. One that isn't there makes no difference."""
        rows = [{"host": host, "local": local, "last_login": when} for local, when in logins.items()]
        return self._store.submit(lambda connection: _note_logins(connection, rows))

    def note_logout(self, host: str, local: str, when: float, status: str = "") -> asyncio.Future[bool]:
        """Whether the account is there."""
        return self._store.submit(
            lambda connection: AccountRows(connection).change(host, local, last_logout=when, last_status=status)
        )

    def keys(self, host: str, local: str) -> Awaitable[dict[str, ScramKeys] | None]:
        """By algorithm; None if there is no such account."""
        return self._store.read(lambda connection: AccountRows(connection).keys(host, local))

    def login(self, host: str, local: str) -> Awaitable[LoginInfo | None]:
        """None if there is no such account."""
        return self._store.read(lambda connection: AccountRows(connection).login(host, local))

    def exists(self, host: str, local: str) -> Awaitable[bool]:
        return self._store.read(lambda connection: AccountRows(connection).exists(host, local))

    def names(
        self, host: str, *, after: str = "", limit: int = 1000, disabled: bool | None = None
    ) -> Awaitable[list[str]]:
        """A page of localparts, by code point: the `limit` that follow `after`; of all accounts, or of those that are
        disabled, or aren't."""
        return self._store.read(
            lambda connection: AccountRows(connection).names(host, after=after, limit=limit, disabled=disabled)
        )

    def count(self, host: str, *, disabled: bool | None = None) -> Awaitable[int]:
        return self._store.read(lambda connection: AccountRows(connection).count(host, disabled=disabled))

    def hosts(self) -> Awaitable[list[str]]:
        """The domains that have accounts."""
        return self._store.read(lambda connection: AccountRows(connection).hosts())

    def info(self, host: str, local: str) -> Awaitable[AccountInfo | None]:
        return self._store.read(lambda connection: AccountRows(connection).info(host, local))


def _is(host: str, local: str) -> tuple[ColumnElement[bool], ...]:
    return account.c.host == host, account.c.local == local


def _among(host: str, disabled: bool | None) -> tuple[ColumnElement[bool], ...]:
    of_host = account.c.host == host
    return (of_host,) if disabled is None else (of_host, account.c.disabled == disabled)
