"""A nickname (XEP-0172 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, payload, text
from chirrup.ext.nickname import NS


@payload("nick", NS)
class Nickname(Payload):
    """What somebody wants to be called; empty for nothing any more. Also in messages and subscription requests to those
    who don't know it yet."""

    name: str = text(default="")
