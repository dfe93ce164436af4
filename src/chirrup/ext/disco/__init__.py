"""Service discovery (XEP-0030 version 2.5.0) with extended information (XEP-0128 version 1.0.1)."""

from __future__ import annotations

from typing import Final

INFO: Final = "http://jabber.org/protocol/disco#info"
ITEMS: Final = "http://jabber.org/protocol/disco#items"
