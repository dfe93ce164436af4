"""Passwords and keys: what is kept of a password, and how one is checked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from chirrup.core.errors import SASLError
from chirrup.core.features.upgrade import Upgrade
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


class Credentials:
    """Looks up and checks credentials on behalf of streams, without telling who exists."""

    def __init__(self, store: Store, secret: bytes) -> None:
        """`secret` is the server's own and stays the same, or what is made up for accounts that don't exist changes."""
        self._store = store
        self._secret = secret
        # One thread: guesses queue up behind each other instead of taking the machine.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")

    async def keys(self, host: str, local: str, algorithm: str) -> tuple[ScramKeys, SASLError | None]:
        """The account's keys for a mechanism, or made-up ones that nothing matches; and why the account can't be used
        even with the right password."""
        found = await self._store.accounts.login(host, local)
        if found is not None and algorithm in found.keys:
            return found.keys[algorithm], _barred(found)
        return decoy_keys(self._secret, f"{local}@{host}", algorithm, ITERATIONS), None

    async def check(self, host: str, local: str, password: str) -> bool:
        """Whether that is the account's password; as slow for an account that isn't there. Raises SASLError where it is
        and the account can't be used even so."""
        found = await self._store.accounts.login(host, local)
        known = next((found.keys[name] for name in ALGORITHMS if name in found.keys), None) if found else None
        keys = known or decoy_keys(self._secret, f"{local}@{host}", ALGORITHMS[0], ITERATIONS)
        matches = await asyncio.get_running_loop().run_in_executor(self._thread, keys_match, keys, password)
        if matches and found is not None and (barred := _barred(found)) is not None:
            raise barred
        return matches and known is not None

    async def barred(self, host: str, local: str) -> SASLError | None:
        """Why an account can't be used even by who shows to be its owner."""
        found = await self._store.accounts.login(host, local)
        return None if found is None else _barred(found)

    async def lacking(self, host: str, local: str) -> set[str]:
        """The algorithms of which an account has no keys though it has others; none for one that doesn't exist."""
        found = await self._store.accounts.login(host, local)
        return set() if found is None or not found.keys else set(ALGORITHMS) - set(found.keys)

    async def missing(self, host: str, local: str, algorithms: Iterable[str]) -> list[Upgrade]:
        """Keys to ask an account's client for, of those algorithms of which it has none (XEP-0480)."""
        found = await self._store.accounts.login(host, local)
        return [
            Upgrade(name, secrets.token_bytes(SALT_OCTETS), ITERATIONS)
            for name in algorithms
            if found is not None and name not in found.keys
        ]

    async def make(self, password: str) -> tuple[ScramKeys, ...]:
        """`make_keys` on the thread for passwords."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, make_keys, password)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _barred(found: LoginInfo) -> SASLError | None:
    return SASLError("account-disabled", "the account was disabled by the operator") if found.disabled else None
