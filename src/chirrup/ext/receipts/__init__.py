"""Receipts: a client tells that a message has arrived (XEP-0184 version 1.4.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:receipts"
XEPS: Final = ((184, "1.4.0", "the payload; the server passes it on"),)
