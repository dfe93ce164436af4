"""Chat states: what somebody is doing in a conversation (XEP-0085 version 2.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/chatstates"
XEPS: Final = ((85, "2.1", "the payload; the server passes it on"),)
