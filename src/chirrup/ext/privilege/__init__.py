"""What trusted components may do in the name of accounts (XEP-0356 version 0.4.1)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:privilege:2"
