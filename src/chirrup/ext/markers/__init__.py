"""Markers: up to which message somebody has seen a conversation (XEP-0333 version 1.0.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:chat-markers:0"
XEPS: Final = ((333, "1.0.0", "the payload; the server passes it on"),)
