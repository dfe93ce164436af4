"""Correction of a message by a later one (XEP-0308 version 1.2.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:message-correct:0"
XEPS: Final = ((308, "1.2.1", "the payload; the server passes it on"),)
