"""Pages of what is too long for one answer (XEP-0059 version 1.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/rsm"
