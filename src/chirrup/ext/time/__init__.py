"""Entity time (XEP-0202 version 2.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:time"
