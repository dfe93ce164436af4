"""Push: another service wakes a device that isn't connected (XEP-0357 version 0.4.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:push:0"
SUMMARY: Final = "urn:xmpp:push:summary"
"""What the form in a notification is about."""
