"""Presence: who is available, and who is told (RFC 6121 §4, and §8.5.3.1 on IQs between those who share none)."""

from __future__ import annotations

from typing import Final

DELAY: Final = "urn:xmpp:delay"
"""Delayed delivery (XEP-0203), which says since when somebody is unavailable."""
