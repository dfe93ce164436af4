"""What people listen to (XEP-0118 version 1.3.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/tune"
"""Also the name of the node."""
XEPS: Final = ((118, "1.3.0", "the payload"),)
