"""SCRAM keys of another hash function, given by a client that has logged in (XEP-0480), so that passwords needn't be
set anew for a server to get stronger keys.

It has no turn of its own: its elements travel in those of `sasl2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from chirrup.core.errors import SASLError
from chirrup.core.record import record
from chirrup.core.sasl import HASHES, ScramKeys, decode_base64, encode_base64, keys_of
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:sasl:upgrade:0"
SCRAM: Final = "urn:xmpp:scram-upgrade:0"
XEPS: Final = ((480, "0.2.0", "SCRAM"),)

_PREFIX: Final = "UPGR-SCRAM-"


@record
class Upgrade:
    """Keys to ask a client for: with this salt, which is fresh, and so many iterations."""

    algorithm: str
    salt: bytes
    iterations: int


def task(algorithm: str) -> str:
    """The name of the task that gives keys of a hash function."""
    return _PREFIX + algorithm


def write(algorithms: Iterable[str]) -> Iterator[Element]:
    """`<upgrade/>` of the server's offer (§4.2), and of a client's wish (§4.3)."""
    for algorithm in algorithms:
        yield Element("upgrade", NS, task(algorithm))


def read(parent: Element) -> tuple[str, ...]:
    """The hash functions that we know of those offered or wished for, each once."""
    names = [element.text.strip() for element in parent.elements("upgrade", NS)]
    return tuple(algorithm for algorithm in HASHES if task(algorithm) in names)


def salt(upgrade: Upgrade) -> Element:
    """What the server gives to derive keys with (§5)."""
    return Element("salt", SCRAM, encode_base64(upgrade.salt), iterations=upgrade.iterations)


def read_salt(task_data: Element, algorithm: str) -> Upgrade:
    """Raises SASLError for what is none."""
    element = task_data.child("salt", SCRAM)
    count = "" if element is None else element.get("iterations")
    if element is None or not (count.isascii() and count.isdigit() and len(count) <= 18):
        raise SASLError("malformed-request", "no <salt/> with a number of iterations")
    salt = decode_base64(element.text.strip())
    if not salt:
        raise SASLError("malformed-request", "a salt isn't empty")
    return Upgrade(algorithm, salt, int(count))


def hashed(salted_password: bytes) -> Element:
    """What a client gives in return."""
    return Element("hash", SCRAM, encode_base64(salted_password))


def read_hashed(task_data: Element, upgrade: Upgrade) -> ScramKeys:
    """The keys that follow from a client's salted password. Raises SASLError for what is none."""
    element = task_data.child("hash", SCRAM)
    salted_password = b"" if element is None else decode_base64(element.text.strip())
    try:
        return keys_of(upgrade.algorithm, salted_password, upgrade.salt, upgrade.iterations)
    except ValueError as error:
        raise SASLError("malformed-request", str(error)) from None
