"""Message processing hints: what a sender asks of those who carry a message (XEP-0334 version 1.0.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:hints"
