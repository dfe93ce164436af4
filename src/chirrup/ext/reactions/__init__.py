"""Reactions to a message, by emoji (XEP-0444 version 0.2.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:reactions:0"
XEPS: Final = ((444, "0.2.1", "the payload; the server passes it on"),)
