"""EXTERNAL: who the client is, its certificate says (RFC 4422 appendix A, XEP-0178)."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.sasl.base import ClientMechanism, NeedIdentity, ServerMechanism, Step, Success
from chirrup.core.sasl.encoding import decode_utf8

NAME = "EXTERNAL"
XEPS: Final = ((178, "1.2", "between clients and servers"),)


class ExternalServer(ServerMechanism):
    """Asks whether the certificate carries the identity: `NeedIdentity`, then `verified`.

    A caller that has a better word for its no than invalid-authzid (for an identity the client asked for) or
    not-authorized (for none) raises its own SASLError in place of `verified(False)`.
    """

    def __init__(self, identity: str = "") -> None:
        """`identity` is what the server takes the client for when it doesn't ask to be another; "" where its
        credentials don't settle that (several addresses in a certificate), and then the client has to ask."""
        super().__init__(NAME)
        self._identity = identity
        self._asked_for: str | None = None

    def _first(self, data: bytes) -> Step:
        authzid = decode_utf8(data)
        if "\0" in authzid:
            raise SASLError("malformed-request", "a NUL in the authorization identity")
        if not authzid and not self._identity:
            # XEP-0178, client to server, 11.2
            raise SASLError("invalid-authzid", "the credentials don't say which identity to act as")
        self._asked_for = authzid
        return NeedIdentity(authzid)

    def verified(self, accepted: bool) -> Step:
        authzid, self._asked_for = self._asked_for, None
        if authzid is None:
            raise LocalProtocolError("EXTERNAL has no identity to be verified")
        if not accepted:
            raise SASLError("invalid-authzid" if authzid else "not-authorized")
        return Success(self._identity or authzid, authzid)


class ExternalClient(ClientMechanism):
    """Leaves it to the certificate, or asks to act as `authzid`."""

    def __init__(self, *, authzid: str = "") -> None:
        """Raises ValueError for an `authzid` that the message can't carry."""
        super().__init__(NAME)
        if "\0" in authzid:
            raise ValueError("an authorization identity has no NUL in it")
        self._authzid = authzid

    def initial(self) -> bytes:
        return self._authzid.encode()
