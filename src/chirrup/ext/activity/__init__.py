"""What people do (XEP-0108 version 1.3)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/activity"
"""Also the name of the node."""
XEPS: Final = ((108, "1.3", "the payload"),)
