"""Tokens to log in with the next time (XEP-0484), by the mechanisms of `core.sasl.hashed_token`.

They have no turn of their own: their elements travel in those of `sasl2`.

Early data of TLS (0-RTT) is neither sent nor taken, and `tls-0rtt` not offered: Python's ssl module has no way to it.
One breath is all the same one round trip after the handshake. A `count` is heeded wherever a client sends one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from chirrup.core.errors import SASLError
from chirrup.core.features import Token
from chirrup.core.record import record
from chirrup.core.sasl import KnownToken
from chirrup.core.sasl.hashed_token import NAMES, usable
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:fast:0"
XEPS: Final = ((484, "0.2.0", "without early data of TLS (0-RTT), which Python's ssl module can't do"),)

_LARGEST_COUNT: Final = 2**31 - 1
"""`count` is an xs:int."""


@record
class TokenUse:
    """How a client has logged in with a token."""

    mechanism: str
    token: KnownToken
    """The one of those given in answer to `NeedTokens` that it has proved to have."""
    count: int | None
    """Its own count of log-ins with this token, if it keeps one: no count comes twice, nor a lower one after it."""
    invalidate: bool
    """Whether the token is to be good for nothing from now on."""


def offer(channel_bindings: Mapping[str, bytes]) -> Element:
    """`<fast/>` in SASL2's `<inline/>`, with the mechanisms that the connection allows (§4.1)."""
    names = usable(NAMES, channel_bindings)
    return Element("fast", NS, *[Element("mechanism", "", name) for name in names])


def read_offer(fast: Element) -> tuple[str, ...]:
    """The mechanisms that a server takes."""
    return tuple(mechanism.text.strip() for mechanism in fast.elements("mechanism", NS))


def use() -> Element:
    """`<fast/>` in the `<authenticate/>` of a client that uses a token (§4.4)."""
    return Element("fast", NS)


def read_use(fast: Element) -> tuple[int | None, bool]:
    """Count and whether to invalidate. Raises SASLError."""
    count = fast.get("count")
    if count and not (count.isascii() and count.isdigit() and len(count) <= 10 and int(count) <= _LARGEST_COUNT):
        raise SASLError("malformed-request", "'count' is a number of 31 bits")
    invalidate = fast.get("invalidate", "false")
    if invalidate not in ("true", "1", "false", "0"):
        raise SASLError("malformed-request", "'invalidate' is true or false")
    return int(count) if count else None, invalidate in ("true", "1")


def request(mechanism: str) -> Element:
    """A client's wish for a token (§4.2)."""
    return Element("request-token", NS, mechanism=mechanism)


def read_request(element: Element, offered: Iterable[str]) -> str:
    """The mechanism that the token is to be for. Raises SASLError where it is none that was offered."""
    mechanism = element.get("mechanism")
    if mechanism not in offered:
        raise SASLError("malformed-request", "a token is for one of the mechanisms that were offered for it")
    return mechanism


def given(token: Token) -> Element:
    """`<token/>` in the server's `<success/>` (§4.3)."""
    return Element("token", NS, expiry=token.expiry, token=token.secret)


def read_given(element: Element, mechanism: str) -> Token | None:
    """The token that a server gave for a mechanism; None where it says nothing."""
    secret = element.get("token")
    return Token(mechanism, secret, element.get("expiry")) if secret and mechanism else None
