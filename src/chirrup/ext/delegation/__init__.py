"""Components that answer instead of the server what is of a namespace (XEP-0355 version 0.5, admin mode)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:delegation:2"
