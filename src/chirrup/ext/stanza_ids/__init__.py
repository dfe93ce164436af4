"""Ids of messages that their sender, an account or a room gives them (XEP-0359 version 0.7.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:sid:0"
