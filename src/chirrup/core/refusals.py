"""What a parser refuses: its limits, and the errors that name what is over one of them or has no place in XMPP.

Both forms of the reader, in Python and compiled, raise these.
"""

from __future__ import annotations

from typing import Final
from xml.parsers.expat import ErrorString, errors

from chirrup.core.errors import StreamError
from chirrup.core.record import record


@record
class Limits:
    """What a parser accepts; RFC 6120 §13.12."""

    stanza_bytes: int = 262_144
    """Octets of one first-level element, and of the stream header."""
    depth: int = 64
    """Levels of elements inside the stream element."""
    attributes: int = 64
    """Attributes of one element."""
    elements: int = 5_000
    """Elements in one stanza, at all levels."""


def too_big(limits: Limits) -> StreamError:
    return StreamError(
        "policy-violation",
        f"a stanza may have {limits.stanza_bytes} octets at most",
        app="{urn:xmpp:errors}stanza-too-big",
    )


def too_many_attributes(limits: Limits) -> StreamError:
    return StreamError("policy-violation", f"an element may have {limits.attributes} attributes at most")


def too_deep(limits: Limits) -> StreamError:
    return StreamError("policy-violation", f"elements may be nested {limits.depth} deep at most")


def too_many_elements(limits: Limits) -> StreamError:
    return StreamError("policy-violation", f"a stanza may have {limits.elements} elements at most")


def stray_text() -> StreamError:
    return StreamError("bad-format", "only white space may stand between stanzas")


def not_utf8() -> StreamError:
    return StreamError("unsupported-encoding", "XMPP is always UTF-8, and this is not")


def restricted(what: str) -> StreamError:
    return StreamError("restricted-xml", f"XMPP has no place for {what}")


DOCTYPE: Final = "a document type declaration"
COMMENT: Final = "a comment"
INSTRUCTION: Final = "a processing instruction"


def check_declaration(version: str | None, encoding: str | None) -> None:
    """Raises StreamError for an XML declaration that isn't XMPP's."""
    if version != "1.0":
        raise StreamError("not-well-formed", "XMPP is XML 1.0")
    if encoding is not None and encoding.upper() != "UTF-8":
        raise StreamError("unsupported-encoding", f"XMPP is always UTF-8, not {encoding[:40]}")


def malformed(code: int, data: bytes, *, headless: bool) -> StreamError:
    """What expat's error means that it met in `data`; `headless` says that no stream header was seen before."""
    try:
        data.decode()  # a piece begins and ends at markup, so never in the middle of a character
    except UnicodeDecodeError:
        return not_utf8()
    if headless and b"\0" in data:
        return not_utf8()
    if code == errors.codes[errors.XML_ERROR_UNDEFINED_ENTITY]:
        return StreamError("restricted-xml", "only the five predefined entities may be used")
    return StreamError("not-well-formed", ErrorString(code) or "bad XML")
