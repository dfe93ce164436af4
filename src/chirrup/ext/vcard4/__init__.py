"""vCards of version 4 (XEP-0292 version 0.12.0)."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:ietf:params:xml:ns:vcard-4.0"
"""RFC 6351."""
NODE: Final = "urn:xmpp:vcard4"
"""Where an account's own vCard is."""
CONTACTS: Final = "urn:xmpp:contacts"
"""Where it keeps vCards of its contacts, each under the contact's address."""
