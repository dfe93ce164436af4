"""The syntax of SCRAM's messages (RFC 5802 §7), for both ends. What breaks it raises SASLError("malformed-request")."""

from __future__ import annotations

import re
from typing import Final

from chirrup.core.errors import SASLError
from chirrup.core.record import record
from chirrup.core.sasl.encoding import strict_base64

NONCE: Final = re.compile(r"[!-+\--~]+")
"""Printable ASCII without the comma."""

_ATTRIBUTE: Final = re.compile(r"[A-Za-z]=[^\0]+", re.DOTALL)
_DEFINED: Final = frozenset("anmrcsipve")
_GS2_HEADER: Final = re.compile(r"(n|y|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]*))?,")
_BAD_ESCAPE: Final = re.compile(r"=(?!2C|3D)")
_POSITIVE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


@record
class GS2Header:
    """What comes before the client's first message proper: does it bind to the channel, and whom will it act for?"""

    text: str
    """The whole header as it was sent, both commas included; it comes back in `c=`."""
    flag: str
    """"n": the client can't bind to the channel; "y": it can, but believes the server can't; "p": it does."""
    binding: str
    """The channel binding type after "p", else ""."""
    authzid: str


def parse_gs2_header(message: str) -> GS2Header:
    """The header that the client's first message begins with. An authzid that can't be one is invalid-authzid."""
    match = _GS2_HEADER.match(message)
    if match is None:
        raise SASLError("malformed-request", "no GS2 header")
    authzid = match["authzid"]
    try:
        authzid = "" if authzid is None else unescape_name(authzid)
    except SASLError as error:
        raise SASLError("invalid-authzid", error.text) from error
    return GS2Header(match[0], match[1][0], match["binding"] or "", authzid)


def parse_attributes(message: str, *names: str) -> list[str]:
    """The values of the attributes that a message begins with, which are those named, in that order.

    Extensions may follow and are passed over (RFC 5802 §5.1), but for mandatory ones, which nobody understands,
    and for what isn't one: an attribute that the RFC defines, in the wrong place or a second time.
    """
    attributes = message.split(",")
    if not all(map(_ATTRIBUTE.fullmatch, attributes)):
        raise SASLError("malformed-request", "not a list of attributes")
    letters = [attribute[0] for attribute in attributes]
    if "m" in letters:
        raise SASLError("malformed-request", "mandatory extensions (m=) are not supported")
    here, rest = letters[: len(names)], letters[len(names) :]
    if here != list(names) or not _DEFINED.isdisjoint(rest):
        raise SASLError("malformed-request", f"not the attributes {', '.join(names)} and extensions")
    return [attribute[2:] for attribute in attributes[: len(names)]]


def extension(message: str, name: str) -> str | None:
    """The value of an optional attribute of a message that `parse_attributes` has passed; None where it has none."""
    return next((attribute[2:] for attribute in message.split(",") if attribute[0] == name), None)


def parse_base64(value: str) -> bytes:
    """The data in an attribute."""
    try:
        return strict_base64(value)
    except ValueError as error:
        raise SASLError("malformed-request", "not base64 in an attribute") from error


def parse_nonce(value: str) -> str:
    """A nonce, checked."""
    if not NONCE.fullmatch(value):
        raise SASLError("malformed-request", "a nonce is printable ASCII")
    return value


def parse_iterations(value: str) -> int:
    """A positive number, below 10^18."""
    if not _POSITIVE_NUMBER.fullmatch(value):
        raise SASLError("malformed-request", "not a number of iterations")
    return int(value)


def escape_name(name: str) -> str:
    """A name as `n=` and `a=` carry it (saslname). Raises ValueError for one that they can't carry."""
    if not name or "\0" in name:
        raise ValueError("a name is not empty and has no NUL in it")
    return name.replace("=", "=3D").replace(",", "=2C")


def unescape_name(value: str) -> str:
    """The name in `n=` and `a=`."""
    if not value or "\0" in value or _BAD_ESCAPE.search(value):
        raise SASLError("malformed-request", "a name is not empty, and has = only in =2C and =3D")
    return value.replace("=2C", ",").replace("=3D", "=")
