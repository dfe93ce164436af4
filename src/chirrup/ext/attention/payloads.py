"""The call for attention (XEP-0224 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, payload
from chirrup.ext.attention import NS


@payload("attention", NS)
class Attention(Payload):
    """The sender would like to be noticed now. It counts for nothing in a message that was delayed."""
