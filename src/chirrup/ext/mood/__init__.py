"""How people feel (XEP-0107 version 1.2.2)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/mood"
"""Also the name of the node."""
XEPS: Final = ((107, "1.2.2", "the payload"),)
