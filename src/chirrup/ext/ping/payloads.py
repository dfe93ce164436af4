"""The question whether somebody is there (XEP-0199 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, payload
from chirrup.ext.ping import NS


@payload("ping", NS)
class Ping(Payload):
    """Answered by an empty result, or by an error, which says as much."""
