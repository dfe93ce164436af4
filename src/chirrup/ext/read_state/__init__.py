"""How far chats have been read, the same on all devices (XEP-0490 version 1.0.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:mds:displayed:0"
"""Also the name of the node; the id of each item is the chat's address."""
