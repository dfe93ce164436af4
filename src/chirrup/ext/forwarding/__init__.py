"""Stanzas inside other stanzas (XEP-0297 version 1.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:forward:0"
XEPS: Final = ((297, "1.0", "the payload"),)
