"""Invitations: links by which people make an account (XEP-0401 version 0.6.0, XEP-0445 version 0.2.0) or become
somebody's contact (XEP-0379 version 0.3.3)."""

from __future__ import annotations

from typing import Final

PARS: Final = "urn:xmpp:pars:0"
"""The namespace of a token that is shown."""
IBR_TOKEN: Final = "urn:xmpp:ibr-token:0"
"""The stream feature of a host that takes tokens for registrations."""
INVITATION: Final = "urn:xmpp:invite#invitation"
"""The form that tells of a new invitation."""
INVITE: Final = "urn:xmpp:invite#invite"
CREATE_ACCOUNT: Final = "urn:xmpp:invite#create-account"
"""The nodes of the two commands."""
