"""Since when somebody has left a device alone (XEP-0319 version 1.0.2)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:idle:1"
XEPS: Final = ((319, "1.0.2", "the payload; the server passes it on"),)
