"""Files for others to fetch, on a web server where a service gives places (XEP-0363 version 1.2.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:http:upload:0"
ALLOWED_HEADERS: Final = ("Authorization", "Cookie", "Expires")
"""The only headers that a service may ask for (§5)."""
