"""Out-of-band data: URIs in stanzas (XEP-0066 version 1.5)."""

from __future__ import annotations

from typing import Final

IQ: Final = "jabber:iq:oob"
"""A file that somebody is to fetch, asked for by an IQ (§2)."""
X: Final = "jabber:x:oob"
"""A URI that goes with a message or presence (§3)."""
