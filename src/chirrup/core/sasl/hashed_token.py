"""HT-SHA-256: a token that the server gave before is proved, not said, in one message each way
(draft-schmaus-kitten-sasl-ht-09).

All forms but -NONE bind the proof to the TLS connection, each by one type of channel binding.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.record import record
from chirrup.core.sasl.base import ClientMechanism, NeedTokens, ServerMechanism, Step, Success, check_username
from chirrup.core.sasl.encoding import decode_utf8

BINDINGS: Final[Mapping[str, str]] = {
    "HT-SHA-256-EXPR": "tls-exporter",
    "HT-SHA-256-UNIQ": "tls-unique",
    "HT-SHA-256-ENDP": "tls-server-end-point",
    "HT-SHA-256-NONE": "",
}
"""The mechanisms with their types of channel binding, strongest first."""

NAMES: Final = tuple(BINDINGS)

_HASH: Final = "sha256"
_INITIATOR: Final = b"Initiator"
_RESPONDER: Final = b"Responder"


@record
class KnownToken:
    """A token that a client may have."""

    secret: str = field(repr=False)
    expired: bool = False


def usable(names: Iterable[str], channel_bindings: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those of the mechanisms for which the connection has what they bind to, strongest first."""
    given = set(names)
    return tuple(name for name in NAMES if name in given and (not BINDINGS[name] or BINDINGS[name] in channel_bindings))


class TokenServer(ServerMechanism):
    """Asks for the tokens that the client may have: `NeedTokens`, then `tokens`."""

    def __init__(self, name: str, channel_bindings: Mapping[str, bytes]) -> None:
        super().__init__(name)
        self._binding_data = _binding_data(name, channel_bindings)
        self._claimed: tuple[str, bytes] | None = None
        self.proven: KnownToken | None = None
        """The token that the client has shown to have."""

    def _first(self, data: bytes) -> Step:
        name, separator, proof = data.partition(b"\0")
        if not separator or not proof:
            raise SASLError("malformed-request", "not a username and a hashed token with a NUL between")
        username = check_username(decode_utf8(name))
        self._claimed = username, proof
        return NeedTokens(username, self.name)

    def tokens(self, tokens: Sequence[KnownToken]) -> Step:
        claimed, self._claimed = self._claimed, None
        if claimed is None:
            raise LocalProtocolError(f"{self.name} asked for no tokens")
        username, proof = claimed
        for token in tokens:
            if hmac.compare_digest(_sign(token.secret, _INITIATOR + self._binding_data), proof):
                self.proven = token
        if self.proven is None:
            raise SASLError("not-authorized")
        if self.proven.expired:
            raise SASLError("credentials-expired", "the token has expired")
        return Success(username, data=_sign(self.proven.secret, _RESPONDER + self._binding_data))


class TokenClient(ClientMechanism):
    """Proves to have the token, and has the server prove that it knows it."""

    def __init__(self, name: str, *, username: str, token: str, channel_bindings: Mapping[str, bytes]) -> None:
        """Raises ValueError for a username that the message can't carry, and for data that the mechanism lacks."""
        super().__init__(name)
        if not username or "\0" in username or not token:
            raise ValueError("a token wants a username without NUL")
        self._binding_data = _binding_data(name, channel_bindings)
        self._username = username
        self._token = token

    def initial(self) -> bytes:
        return self._username.encode() + b"\0" + _sign(self._token, _INITIATOR + self._binding_data)

    def finish(self, data: bytes | None) -> None:
        if not hmac.compare_digest(_sign(self._token, _RESPONDER + self._binding_data), data or b""):
            raise SASLError("aborted", "the server doesn't know the token: it isn't the one that it says")


def _binding_data(name: str, channel_bindings: Mapping[str, bytes]) -> bytes:
    kind = BINDINGS[name]
    if kind and not channel_bindings.get(kind):
        raise ValueError(f"{name} needs the channel binding {kind}")
    return channel_bindings[kind] if kind else b""


def _sign(secret: str, data: bytes) -> bytes:
    return hmac.digest(secret.encode(), data, _HASH)
