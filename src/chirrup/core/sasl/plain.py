"""PLAIN: the password itself, in one message (RFC 4616). Only for connections that TLS protects."""

from __future__ import annotations

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.sasl.base import ClientMechanism, NeedPassword, ServerMechanism, Step, Success, check_username
from chirrup.core.sasl.encoding import decode_utf8

NAME = "PLAIN"


class PlainServer(ServerMechanism):
    """Asks for the verdict on a password: `NeedPassword`, then `verified`."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._claimed: Success | None = None

    def _first(self, data: bytes) -> Step:
        parts = decode_utf8(data).split("\0")
        if len(parts) != 3:
            raise SASLError("malformed-request", "not an authzid, a username and a password between NULs")
        authzid, username, password = parts
        if not password:
            raise SASLError("malformed-request", "no password")
        self._claimed = Success(check_username(username), authzid)
        return NeedPassword(username, password)

    def verified(self, accepted: bool) -> Step:
        claimed, self._claimed = self._claimed, None
        if claimed is None:
            raise LocalProtocolError("PLAIN has no password to be verified")
        if not accepted:
            raise SASLError("not-authorized")
        return claimed


class PlainClient(ClientMechanism):
    """Sends username and password as they are: the server prepares them (RFC 4616 §2)."""

    def __init__(self, *, username: str, password: str, authzid: str = "") -> None:
        """Raises ValueError for what the message can't carry."""
        super().__init__(NAME)
        if not username or not password or "\0" in username + password + authzid:
            raise ValueError("PLAIN wants a username and a password, without NUL")
        self._message = f"{authzid}\0{username}\0{password}".encode()

    def initial(self) -> bytes:
        return self._message
