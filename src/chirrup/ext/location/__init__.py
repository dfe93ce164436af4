"""Where people are (XEP-0080 version 1.10.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/geoloc"
"""Also the name of the node."""
XEPS: Final = ((80, "1.10.0", "the payload"),)
