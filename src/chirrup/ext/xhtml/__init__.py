"""Texts as XHTML (XEP-0071 version 1.5.4): read, and never trusted. The specification is deprecated, for most who read
it have been careless; it is still sent."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/xhtml-im"
XHTML: Final = "http://www.w3.org/1999/xhtml"
XEPS: Final = ((71, "1.5.4", "read, sanitised; never announced"),)
