"""In-band registration (XEP-0077 version 2.4)."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:register"
FEATURE: Final = "http://jabber.org/features/iq-register"
"""The stream feature (XEP-0077 §8)."""
