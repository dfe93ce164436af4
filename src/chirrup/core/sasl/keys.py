"""Passwords as SCRAM keeps them: StoredKey and ServerKey, from which the password can't be had (RFC 5802 §3).

All that is slow here is `derive_keys` and `keys_match`: they take as long as the iterations ask, so an event
loop gives them to a thread.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import field
from typing import Final

from chirrup.core import precis
from chirrup.core.record import record

HASHES: Final = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
"""The hash functions of SCRAM by IANA's names, with those of hashlib."""

SALT_OCTETS: Final = 16
"""How long the salt of a decoy is. Decoys stand out unless real salts are as long, and each algorithm has its own."""


@record
class ScramKeys:
    """What a server stores of one password, for one hash function. Raises ValueError if it can't be such keys."""

    algorithm: str
    """One of `HASHES`."""
    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        size = digest_size(self.algorithm)
        if not self.salt or self.iterations < 1:
            raise ValueError("SCRAM keys have a salt, and at least one iteration")
        if len(self.stored_key) != size or len(self.server_key) != size:
            raise ValueError(f"keys of {self.algorithm} have {size} octets")


def digest_size(algorithm: str) -> int:
    """In octets. Raises ValueError for what isn't one of `HASHES`."""
    if algorithm not in HASHES:
        raise ValueError(f"{algorithm!r} is none of {', '.join(HASHES)}")
    return hashlib.new(HASHES[algorithm]).digest_size


def derive_keys(algorithm: str, password: str, salt: bytes, iterations: int) -> ScramKeys:
    """The keys of a password. Slow. Raises ValueError, also for a password that OpaqueString disallows."""
    return keys_of(algorithm, salt_password(algorithm, prepare_password(password), salt, iterations), salt, iterations)


def keys_of(algorithm: str, salted: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """The keys that follow from a salted password. Raises ValueError where it has the wrong size."""
    if len(salted) != digest_size(algorithm):
        raise ValueError(f"a salted password of {algorithm} has {digest_size(algorithm)} octets")
    client_key, server_key = client_and_server_key(algorithm, salted)
    return ScramKeys(algorithm, salt, iterations, digest(algorithm, client_key), server_key)


def keys_match(keys: ScramKeys, password: str) -> bool:
    """Whether these are the keys of that password. Slow, and as slow for a wrong password as for the right one."""
    try:
        derived = derive_keys(keys.algorithm, password, keys.salt, keys.iterations)
    except ValueError:
        return False
    return hmac.compare_digest(derived.stored_key, keys.stored_key)


def decoy_keys(secret: bytes, username: str, algorithm: str, iterations: int) -> ScramKeys:
    """Keys for a user that doesn't exist: the same each time, so that nobody learns who does; no password fits.

    `secret` is the server's own and stays the same; `username` is prepared, as real ones are when they are looked
    up; `iterations` is what real users have.
    """
    if not secret:
        raise ValueError("without a secret anyone can tell decoys")
    digest_size(algorithm)

    def derive(label: str) -> bytes:
        return sign(algorithm, secret, f"{label}\0{algorithm}\0{username}".encode())

    return ScramKeys(algorithm, derive("salt")[:SALT_OCTETS], iterations, derive("stored key"), derive("server key"))


def prepare_password(password: str) -> str:
    """The OpaqueString profile of PRECIS (RFC 8265 §4.2), which came after the SASLprep of RFC 5802.

    The two differ only for what has compatibility forms (½, ﬁ). Raises ValueError for a password that is empty
    or has code points that the profile disallows; the message doesn't quote it.
    """
    if password.isascii() and password.isprintable() and password:
        return password
    try:
        prepared = precis.prepare("OpaqueString", password)
    except (ValueError, LookupError):
        # Not chained: the library's error has the password in it, and tracebacks are logged.
        prepared = ""
    if not prepared:
        raise ValueError("a password must not be empty, nor have control or unassigned characters in it (RFC 8265)")
    return prepared


def salt_password(algorithm: str, prepared: str, salt: bytes, iterations: int) -> bytes:
    """SaltedPassword of RFC 5802 §3, which is PBKDF2. Slow."""
    digest_size(algorithm)
    return hashlib.pbkdf2_hmac(HASHES[algorithm], prepared.encode(), salt, iterations)


def client_and_server_key(algorithm: str, salted: bytes) -> tuple[bytes, bytes]:
    """ClientKey and ServerKey of RFC 5802 §3."""
    return sign(algorithm, salted, b"Client Key"), sign(algorithm, salted, b"Server Key")


def sign(algorithm: str, key: bytes, data: bytes) -> bytes:
    """HMAC() of RFC 5802 §2.2."""
    return hmac.digest(key, data, HASHES[algorithm])


def digest(algorithm: str, data: bytes) -> bytes:
    """H() of RFC 5802 §2.2."""
    return hashlib.new(HASHES[algorithm], data).digest()
