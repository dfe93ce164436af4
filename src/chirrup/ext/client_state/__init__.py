"""Client state: what isn't urgent waits while nobody looks at a device (XEP-0352 version 1.0.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:csi:0"
