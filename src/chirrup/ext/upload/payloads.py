"""A place for a file: asked for, and given (XEP-0363 §5)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, children, payload, text
from chirrup.ext.upload import NS


@payload("request", NS)
class SlotRequest(Payload):
    """Asks for a place."""

    filename: str = attribute()
    size: int = attribute()
    """Octets."""
    content_type: str | None = attribute("content-type", default=None)


@payload("header", NS)
class Header(Payload):
    """What an upload has to say in its HTTP header."""

    name: str = attribute()
    value: str = text(default="")


@payload("put", NS)
class Put(Payload):
    """Where the file is to be put."""

    url: str = attribute()
    headers: tuple[Header, ...] = children(Header)


@payload("get", NS)
class Get(Payload):
    """Where it can be fetched."""

    url: str = attribute()


@payload("slot", NS)
class Slot(Payload):
    """A place."""

    put: Put = child(Put)
    get: Get = child(Get)
