"""Passwords and keys: what is kept of a password, and how one is checked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import SASLError
from chirrup.core.features.upgrade import Upgrade
from chirrup.core.record import record
from chirrup.core.sasl import SALT_OCTETS, ScramKeys, decoy_keys, derive_keys, keys_match

if TYPE_CHECKING:
    from chirrup.store import Store
    from chirrup.store.accounts import LoginInfo

ALGORITHMS: Final = ("SHA-512", "SHA-256", "SHA-1")
"""The hashes whose SCRAM keys are kept of each password, strongest first."""

ITERATIONS: Final = 10_000
"""Rounds of PBKDF2: what every client can do in a moment, as it must at each log-in."""


def make_keys(password: str) -> tuple[ScramKeys, ...]:
    """The SCRAM keys of a new password, one for each of `ALGORITHMS`, each with its own salt.

    Takes some tens of milliseconds. ValueError where the password can't be used (RFC 8265 §4.2)."""
    return tuple(derive_keys(algorithm, password, secrets.token_bytes(16), ITERATIONS) for algorithm in ALGORITHMS)


@record
class Known:
    """What is known of somebody who logs in, read once: of an account, or of a name that nobody has."""

    host: str
    local: str
    found: LoginInfo | None
    """None for a name that nobody has."""
    changes: int
    """`Accounts.changes` when it was read: as long as that stands there, nobody has changed it."""

    @property
    def barred(self) -> SASLError | None:
        """Why the account can't be used even by who shows to be its owner."""
        if self.found is None or not self.found.disabled:
            return None
        return SASLError("account-disabled", "the account was disabled by the operator")

    @property
    def lacking(self) -> set[str]:
        """The algorithms of which the account has no keys though it has others; none for a name that nobody has."""
        return set() if self.found is None or not self.found.keys else set(ALGORITHMS) - set(self.found.keys)

    def missing(self, algorithms: Iterable[str]) -> list[Upgrade]:
        """Keys to ask the account's client for, of those algorithms of which it has none (XEP-0480)."""
        return [
            Upgrade(name, secrets.token_bytes(SALT_OCTETS), ITERATIONS)
            for name in algorithms
            if self.found is not None and name not in self.found.keys
        ]


class Credentials:
    """Looks up and checks credentials on behalf of streams, without telling who exists."""

    def __init__(self, store: Store, secret: bytes) -> None:
        """`secret` is the server's own and stays the same, or what is made up for accounts that don't exist changes."""
        self._store = store
        self._secret = secret
        # One thread: guesses queue up behind each other instead of taking the machine.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")

    async def look_up(self, host: str, local: str) -> Known:
        changes = self._store.accounts.changes
        return Known(host, local, await self._store.accounts.login(host, local), changes)

    def is_current(self, known: Known) -> bool:
        """Whether no account was changed by this server since that was read."""
        return known.changes == self._store.accounts.changes

    async def hold_good(self, known: Known) -> bool:
        """Whether what somebody has logged in by still lets them in: the password is the same, the account may be
        used. Keys that were added since make no difference."""
        if self.is_current(known):
            return True
        now = (await self.look_up(known.host, known.local)).found
        if now is None or now.disabled or known.found is None:
            return False
        return all(now.keys.get(name) == keys for name, keys in known.found.keys.items())

    def keys(self, known: Known, algorithm: str) -> ScramKeys:
        """The account's keys for a mechanism, or made-up ones that nothing matches."""
        if known.found is not None and algorithm in known.found.keys:
            return known.found.keys[algorithm]
        return decoy_keys(self._secret, f"{known.local}@{known.host}", algorithm, ITERATIONS)

    async def check(self, known: Known, password: str) -> bool:
        """Whether that is the account's password; as slow for an account that isn't there. Raises SASLError where it is
        and the account can't be used even so."""
        algorithm = next((name for name in ALGORITHMS if known.found and name in known.found.keys), None)
        keys = self.keys(known, algorithm or ALGORITHMS[0])
        matches = await asyncio.get_running_loop().run_in_executor(self._thread, keys_match, keys, password)
        if matches and known.barred is not None:
            raise known.barred
        return matches and algorithm is not None

    async def make(self, password: str) -> tuple[ScramKeys, ...]:
        """`make_keys` on the thread for passwords."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, make_keys, password)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
