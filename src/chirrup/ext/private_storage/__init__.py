"""Private XML storage (XEP-0049 version 1.2): what clients keep for themselves at the server."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:private"
