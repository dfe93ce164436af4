"""Which message a message is a reply to (XEP-0461 version 0.2.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:reply:0"
XEPS: Final = ((461, "0.2.1", "the payload; the server passes it on"),)
