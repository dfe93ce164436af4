"""A picture, and where it stands in a vCard (XEP-0153 §4.3)."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64encode
from typing import Final

from chirrup.core.record import record
from chirrup.core.values import codec_for
from chirrup.core.xml import Element
from chirrup.ext.avatar.payloads import Info
from chirrup.ext.vcard import NS as VCARD

_BASE64: Final = codec_for(bytes)
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


@record
class Picture:
    """A picture's bytes and media type."""

    data: bytes
    type: str

    @property
    def hash(self) -> str:
        """SHA-1, in hexadecimal digits: the picture's name everywhere."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()

    @property
    def info(self) -> Info:
        """What is told about it, with its size in pixels where it is a PNG."""
        width = height = None
        if self.type == "image/png" and self.data[12:16] == b"IHDR" and len(self.data) >= 24:
            width, height = struct.unpack(">II", self.data[16:24])
        return Info(self.hash, len(self.data), self.type, width=width, height=height)


def read_photo(card: Element) -> Picture | None:
    """The picture in a vCard, if there is one that can be read."""
    photo = card.child("PHOTO", VCARD)
    if photo is None:
        return None
    try:
        data = _BASE64.decode(photo.child_text("BINVAL"))
    except ValueError:
        return None
    if not data:
        return None
    found = next((type_ for signature, type_ in _SIGNATURES if data.startswith(signature)), "")
    return Picture(data, found or photo.child_text("TYPE").strip() or "image/png")


def with_photo(card: Element | None, picture: Picture | None) -> Element:
    """A vCard with that picture in place of any other, and else as it was."""
    new = Element("vCard", VCARD) if card is None else card.copy()
    new.remove("PHOTO", VCARD)
    if picture is not None:
        photo = new.c("PHOTO")
        photo.c("TYPE", "", picture.type)
        photo.c("BINVAL", "", b64encode(picture.data).decode())
    return new
