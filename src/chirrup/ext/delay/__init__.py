"""Delayed delivery: since when a stanza has been on its way (XEP-0203 version 2.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:delay"
