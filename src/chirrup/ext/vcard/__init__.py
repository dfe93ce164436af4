"""vCards (vcard-temp, XEP-0054 version 1.3.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "vcard-temp"
