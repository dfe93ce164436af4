"""Rosters and presence subscriptions: RFC 6121 §§2 and 3, with roster versions (§2.6, once XEP-0237)."""

from __future__ import annotations

from typing import Final

NS: Final = "jabber:iq:roster"
VERSIONS: Final = "urn:xmpp:features:rosterver"
"""The stream feature of roster versions (§2.6.1)."""
PRE_APPROVAL: Final = "urn:xmpp:features:pre-approval"
"""The stream feature of approvals before the request (§3.4)."""
