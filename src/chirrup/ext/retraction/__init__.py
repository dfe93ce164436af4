"""The wish that a message be taken back (XEP-0424 version 0.4.2)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:message-retract:1"
XEPS: Final = ((424, "0.4.2", "the server passes it on and archives it; no tombstones"),)
