"""Styled texts (XEP-0393 version 1.1.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:styling:0"
