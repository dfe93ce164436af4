"""Which parts of a message are only for clients that don't understand the rest (XEP-0428 version 0.2.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:fallback:0"
XEPS: Final = ((428, "0.2.1", "the payload; the server passes it on"),)
