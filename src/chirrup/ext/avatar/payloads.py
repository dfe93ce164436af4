"""Pictures, and what is told about them (XEP-0084 §4, XEP-0153 §3)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child_text, children, payload, text
from chirrup.ext.avatar import DATA, METADATA, UPDATE


@payload("data", DATA)
class Data(Payload):
    """A picture; its item's id is its SHA-1 hash, in hexadecimal digits."""

    data: bytes = text()


@payload("info", METADATA)
class Info(Payload):
    """One form of the picture."""

    id: str = attribute()
    """Its SHA-1 hash, in hexadecimal digits."""
    bytes: int = attribute()
    type: str = attribute()
    """Its media type, such as image/png."""
    url: str | None = attribute(default=None)
    """Where it is, if it isn't in the node of pictures."""
    width: int | None = attribute(default=None)
    height: int | None = attribute(default=None)


@payload("metadata", METADATA)
class Metadata(Payload):
    """The picture that somebody has now, in some forms; without any, there is none."""

    infos: tuple[Info, ...] = children(Info)


@payload("x", UPDATE)
class Update(Payload):
    """In presence, which picture is in the vCard: None is said by clients that don't know yet, "" if there is none."""

    photo: str | None = child_text("photo", default=None)
    """Its SHA-1 hash, in hexadecimal digits."""
