"""Software version (XEP-0092 version 1.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:version"
