"""Files (XEP-0234 §5)."""

from __future__ import annotations

from datetime import datetime

from chirrup.core.payload import Payload, attribute, child, child_text, children, payload, rest, text
from chirrup.core.xml import Element
from chirrup.ext.jingle import FILE, HASHES
from chirrup.ext.jingle.payloads import Role


@payload("hash", HASHES)
class FileHash(Payload):
    """A file's hash, or a part's; empty where it is told later."""

    algo: str = attribute()
    value: bytes = text(default=b"")


@payload("hash-used", HASHES)
class HashUsed(Payload):
    """By which algorithm the hash will be."""

    algo: str = attribute()


@payload("range", FILE)
class Range(Payload):
    """A part of a file; in an offer, that parts can be asked for."""

    offset: int = attribute(default=0)
    length: int | None = attribute(default=None)
    hashes: tuple[FileHash, ...] = children(FileHash)


@payload("file", FILE)
class File(Payload):
    """A file. Its name is a stranger's word: take `pathlib.PurePath(name).name`, or another one."""

    name: str | None = child_text("name", default=None)
    media_type: str | None = child_text("media-type", default=None)
    date: datetime | None = child_text("date", default=None)
    size: int | None = child_text("size", default=None)
    description: str | None = child_text("desc", default=None)
    range: Range | None = child(Range, default=None)
    hashes: tuple[FileHash, ...] = children(FileHash)
    hash_used: HashUsed | None = child(HashUsed, default=None)
    others: tuple[Element, ...] = rest()


@payload("description", FILE)
class FileDescription(Payload):
    """The file that is offered, or asked for."""

    file: File | None = child(File, default=None)


@payload("checksum", FILE)
class Checksum(Payload):
    """A file's hash, told when it is known."""

    creator: Role = attribute()
    name: str = attribute()
    file: File | None = child(File, default=None)


@payload("received", FILE)
class ReceivedFile(Payload):
    """The file is there."""

    creator: Role = attribute()
    name: str = attribute()
