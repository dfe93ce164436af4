"""Bookmarks of rooms: an item each (XEP-0402 version 1.2.0), and all in one element as it was before (XEP-0048 version
1.2)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:bookmarks:1"
"""XEP-0402; also the name of the node."""
OLD: Final = "storage:bookmarks"
"""XEP-0048; also the name of the node, for clients that keep it there and not in private storage."""
