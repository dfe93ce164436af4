"""In-band registration (XEP-0077 version 2.4), with redirects by out-of-band data (XEP-0066 version 1.5)."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:register"
FEATURE: Final = "http://jabber.org/features/iq-register"
"""The stream feature (XEP-0077 §8)."""
FORM: Final = "jabber:x:data"
OOB: Final = "jabber:x:oob"
"""Data forms and links, which may stand inside (XEP-0077 §§4 and 5)."""
