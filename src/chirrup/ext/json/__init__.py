"""JSON inside stanzas (XEP-0335 version 0.1.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:json:0"
XEPS: Final = ((335, "0.1.1", "the payload"),)
