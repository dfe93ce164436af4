"""Passwords and keys: what is kept of a password, and how one is checked."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from chirrup.core.sasl import ScramKeys, decoy_keys, derive_keys, keys_match

if TYPE_CHECKING:
    from chirrup.store import Store

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

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret = secrets.token_bytes(32)
        # One thread: guesses queue up behind each other instead of taking the machine.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")

    async def keys(self, host: str, local: str, algorithm: str) -> ScramKeys:
        """The account's keys for a mechanism, or made-up ones that nothing matches."""
        found = await self._store.accounts.keys(host, local)
        if found and algorithm in found:
            return found[algorithm]
        return decoy_keys(self._secret, f"{local}@{host}", algorithm, ITERATIONS)

    async def check(self, host: str, local: str, password: str) -> bool:
        """Whether that is the account's password; as slow for an account that isn't there."""
        found = await self._store.accounts.keys(host, local)
        known = next((found[name] for name in ALGORITHMS if name in found), None) if found else None
        keys = known or decoy_keys(self._secret, f"{local}@{host}", ALGORITHMS[0], ITERATIONS)
        matches = await asyncio.get_running_loop().run_in_executor(self._thread, keys_match, keys, password)
        return matches and known is not None

    async def make(self, password: str) -> tuple[ScramKeys, ...]:
        """`make_keys` on the thread for passwords."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, make_keys, password)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
