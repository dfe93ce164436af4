"""The tokens of accounts' clients: which there are, and what becomes of them.

A client has two at most: the one that it uses, and a newer one that it may not have received yet (XEP-0484 §6.1). The
store doesn't have the tokens themselves, but what they are derived from, with the server's own secret: who reads
the store, or an old copy of it, can't log in.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hmac import compare_digest, digest
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from chirrup.core.errors import SASLError
from chirrup.core.features import Token, UserAgent
from chirrup.core.features.fast import TokenUse
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import KnownToken
from chirrup.core.values import format_datetime
from chirrup.server.module import Module, Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DAY: Final = 86_400


@record
class Slot:
    """One token, as it is stored."""

    mechanism: str
    seed: str
    """What it is derived from; random."""
    issued: int
    """In seconds since 1970, as is the next."""
    expires: int
    count: int | None = None
    """The client's last count of log-ins with it."""


@record
class Entry:
    """What is kept of one client of an account."""

    current: Slot | None = None
    new: Slot | None = None
    """Given out, and not used yet."""
    software: str = ""
    device: str = ""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The newer one first."""
        return tuple(slot for slot in (self.new, self.current) if slot is not None)

    @property
    def until(self) -> int:
        """When the last of its tokens expires."""
        return max((slot.expires for slot in self.slots), default=0)

    def to_text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Entry:
        values: dict[str, Any] = json.loads(text)
        for name in ("current", "new"):
            values[name] = Slot(**values[name]) if values[name] else None
        return cls(**values)


class TokensSettings(Settings):
    """For how long clients may log in without a password."""

    days: int = Field(default=21, ge=1, le=3650)
    """Days after which a token is good for nothing: a client that was away for longer needs the password again."""
    renew_after_days: float = Field(default=1.0, ge=0)
    """Days after which a client that uses its token is given a new one."""
    clients_per_account: int = Field(default=50, ge=1, le=1000)
    """Clients of an account that may have tokens; beyond, the one whose token expires first loses it."""


class LoginTokens(Module):
    """Gives clients tokens to log in with, and takes them."""

    needs_accounts = True
    Settings = TokensSettings
    settings: TokensSettings

    async def start(self) -> None:
        self._map = self.host.store.map(self.host.store.accounts.TOKENS)
        self._secret = self.host.server.secret
        self.host.tokens = self

    async def stop(self) -> None:
        self.host.tokens = None

    # -- what log-in asks for

    async def known(self, account: JID, client: str, mechanism: str) -> list[KnownToken]:
        """The tokens that a client may have for a mechanism."""
        text = await self._map.get(account.text, client)
        if text is None:
            return []
        now = self.host.clock.time()
        return [
            KnownToken(self._token(account, client, slot), slot.expires <= now)
            for slot in Entry.from_text(text).slots
            if slot.mechanism == mechanism
        ]

    async def use(self, account: JID, agent: UserAgent, use: TokenUse, wanted: str) -> Token | None:
        """A client has logged in with a token: note that, and give it a new one where it is time, or `wanted` names the
        mechanism of one. Durable when this returns. Raises SASLError where that log-in was there before, or the token
        was taken away in the meantime."""
        given: list[Slot] = []

        def change(entry: Entry | None) -> Entry:
            given.clear()  # it may run more than once
            entry = entry or Entry()
            used = self._used(account, agent.id, entry, use)
            if use.count is not None:
                if used.count is not None and use.count <= used.count:
                    raise SASLError("not-authorized", "that count has been used before")
                used = replace(used, count=use.count)
            if use.invalidate:
                entry = replace(entry, current=None, new=None)
            elif entry.new is not None and entry.new.seed == used.seed:
                entry = replace(entry, current=used, new=None)
            else:
                entry = replace(entry, current=used)
            if wanted or (not use.invalidate and self._is_due(used)):
                given.append(self._make(wanted or used.mechanism))
                entry = replace(entry, new=given[0])
            return entry

        await self._change(account, agent, change)
        return self._shown(account, agent.id, given[0]) if given else None

    async def give(self, account: JID, agent: UserAgent, mechanism: str) -> Token:
        """A token for a client that has logged in otherwise. Durable when this returns."""
        slot = self._make(mechanism)
        await self._change(account, agent, lambda entry: replace(entry or Entry(), new=slot))
        return self._shown(account, agent.id, slot)

    # -- inside

    async def _change(self, account: JID, agent: UserAgent, change: Callable[[Entry | None], Entry]) -> None:
        """Change what is kept of a client, in one transaction."""

        def store(connection: Connection) -> None:
            rows = self._map.within(connection)
            text = rows.get(account.text, agent.id)
            entry = change(None if text is None else Entry.from_text(text))
            if not entry.slots:
                rows.delete(account.text, [agent.id])
                return
            if text is None:
                if not self.host.store.accounts.within(connection).exists(self.host.name, account.local):
                    raise SASLError("not-authorized", "the account is gone")
                self._make_room(connection, account)
            rows.set(account.text, agent.id, replace(entry, software=agent.software, device=agent.device).to_text())

        await self.host.store.submit(store)

    def _make_room(self, connection: Connection, account: JID) -> None:
        rows = self._map.within(connection)
        others = rows.all(account.text)
        too_many = len(others) + 1 - self.settings.clients_per_account
        if too_many > 0:
            rows.delete(account.text, sorted(others, key=lambda key: Entry.from_text(others[key]).until)[:too_many])

    def _used(self, account: JID, client: str, entry: Entry, use: TokenUse) -> Slot:
        for slot in entry.slots:
            token = self._token(account, client, slot)
            if slot.mechanism == use.mechanism and compare_digest(token.encode(), use.token.secret.encode()):
                return slot
        raise SASLError("not-authorized", "the token was taken away")

    def _is_due(self, slot: Slot) -> bool:
        return self.host.clock.time() >= slot.issued + self.settings.renew_after_days * _DAY

    def _make(self, mechanism: str) -> Slot:
        now = int(self.host.clock.time())
        return Slot(mechanism, secrets.token_urlsafe(24), now, now + self.settings.days * _DAY)

    def _token(self, account: JID, client: str, slot: Slot) -> str:
        derived = digest(self._secret, "\0".join(("token", account.text, client, slot.seed)).encode(), "sha256")
        return urlsafe_b64encode(derived).decode().rstrip("=")

    def _shown(self, account: JID, client: str, slot: Slot) -> Token:
        expiry = format_datetime(datetime.fromtimestamp(slot.expires, UTC))
        return Token(slot.mechanism, self._token(account, client, slot), expiry)
