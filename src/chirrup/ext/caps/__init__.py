"""Entity capabilities: what a client can do, told by a hash in its presence (XEP-0115 version 1.6.0 and XEP-0390
version 0.3.2)."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/caps"
"""XEP-0115."""
NS_2: Final = "urn:xmpp:caps"
"""XEP-0390."""
HASHES: Final = "urn:xmpp:hashes:2"
NODE_PREFIX: Final = "urn:xmpp:caps#"
"""What the service discovery node of a hash of XEP-0390 begins with (§4.3)."""
