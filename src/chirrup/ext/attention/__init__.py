"""Getting somebody's attention (XEP-0224 version 1.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:attention:0"
XEPS: Final = ((224, "1.0", "the payload; the server passes it on"),)
