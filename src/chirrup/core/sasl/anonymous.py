"""ANONYMOUS: anyone may come in, and say who sent them (RFC 4505)."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import SASLError
from chirrup.core.sasl.base import ClientMechanism, ServerMechanism, Step, Success
from chirrup.core.sasl.encoding import decode_utf8

NAME = "ANONYMOUS"
XEPS: Final = ((175, "1.2", "on hosts that are for guests"),)

MAX_TRACE_CHARACTERS: Final = 255


class AnonymousServer(ServerMechanism):
    """Takes whoever comes. The trace information is checked and dropped: anyone can make it up."""

    def __init__(self) -> None:
        super().__init__(NAME)

    def _first(self, data: bytes) -> Step:
        if len(decode_utf8(data)) > MAX_TRACE_CHARACTERS:
            raise SASLError("malformed-request", f"trace information has at most {MAX_TRACE_CHARACTERS} characters")
        return Success("")


class AnonymousClient(ClientMechanism):
    """Sends no trace information, which is the user's own business (RFC 4505 §5)."""

    def __init__(self) -> None:
        super().__init__(NAME)

    def initial(self) -> bytes:
        return b""
