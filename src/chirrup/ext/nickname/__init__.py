"""What people want to be called (XEP-0172 version 1.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/nick"
"""Also the name of the node."""
XEPS: Final = ((172, "1.1", "the payload"),)
