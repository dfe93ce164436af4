"""That a text is to be shown as it stands (XEP-0393 §6)."""

from __future__ import annotations

from chirrup.core.payload import Payload, payload
from chirrup.ext.styling import NS


@payload("unstyled", NS)
class Unstyled(Payload):
    """In a message: what looks like styling in its body is none."""
