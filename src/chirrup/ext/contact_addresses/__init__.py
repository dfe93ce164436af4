"""Contact addresses of a service (XEP-0157 version 1.1.1)."""

from __future__ import annotations

from typing import Final

FORM_TYPE: Final = "http://jabber.org/network/serverinfo"
