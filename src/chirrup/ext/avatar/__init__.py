"""Avatars: pictures of people, published (XEP-0084 version 1.1.4), in vCards (XEP-0153 version 1.1.1), and each made of
the other (XEP-0398 version 1.0.0)."""

from __future__ import annotations

from typing import Final

DATA: Final = "urn:xmpp:avatar:data"
"""The node, and the namespace, of pictures."""
METADATA: Final = "urn:xmpp:avatar:metadata"
"""The node, and the namespace, of what is told about the picture that somebody has now."""
UPDATE: Final = "vcard-temp:x:update"
"""What presence tells about the picture in a vCard."""
CONVERSION: Final = "urn:xmpp:pep-vcard-conversion:0"
