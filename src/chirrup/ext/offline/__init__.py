"""Messages kept for those who aren't there (XEP-0160 version 1.0.1), as their hints ask (XEP-0334 version 1.0.0)."""

from __future__ import annotations

from typing import Final

FEATURE: Final = "msgoffline"
