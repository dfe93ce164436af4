"""What software an entity is (XEP-0092 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, child_text, payload
from chirrup.ext.version import NS


@payload("query", NS)
class Version(Payload):
    """The software; empty in a request."""

    name: str | None = child_text("name", default=None)
    version: str | None = child_text("version", default=None)
    os: str | None = child_text("os", default=None)
