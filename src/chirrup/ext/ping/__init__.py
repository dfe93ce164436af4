"""XMPP ping (XEP-0199 version 2.0.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:ping"
