"""The elements of stream management, written and read (XEP-0198 §§2 to 6)."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import STANZA_CONDITIONS, PayloadError, StanzaError, StreamError
from chirrup.core.payload import Payload, attribute, payload
from chirrup.core.stanza import STANZAS
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:sm:3"
LARGEST: Final = 0xFFFF_FFFF
"""The last count before the next one is 0 again (§4)."""


def feature() -> Element:
    """`<sm/>`, in stream features and inline in SASL2."""
    return Element("sm", NS)


@payload("enable", NS)
class Enable(Payload):
    """A client's request (§3)."""

    resume: bool = attribute(default=False)
    max: int | None = attribute(default=None)
    """For how many seconds after the connection's end it would like to be able to come back."""

    def __post_init__(self) -> None:
        _check_positive(self.max)


@payload("enabled", NS)
class Enabled(Payload):
    """The server's answer (§3)."""

    id: str | None = attribute(default=None)
    resume: bool = attribute(default=False)
    max: int | None = attribute(default=None)
    """For how many seconds after the connection's end the client can come back."""
    location: str | None = attribute(default=None)
    """Where to: host, or host and port, with brackets around an IPv6 address."""

    def __post_init__(self) -> None:
        _check_positive(self.max)


@payload("resume", NS)
class Resume(Payload):
    """A client's request to go on with a former stream (§5)."""

    previd: str = attribute()
    h: int = attribute()
    """How many of the server's stanzas it has handled."""

    def __post_init__(self) -> None:
        _check_count(self.h)


@payload("resumed", NS)
class Resumed(Payload):
    """The server's answer (§5)."""

    previd: str = attribute()
    h: int = attribute()
    """How many of the client's stanzas it has handled."""

    def __post_init__(self) -> None:
        _check_count(self.h)


def request() -> Element:
    """`<r/>`: the other end is asked what it has."""
    return Element("r", NS)


def acknowledgement(handled: int) -> Element:
    """`<a/>`: so many stanzas have been handled."""
    return Element("a", NS, h=handled & LARGEST)


def read_handled(element: Element) -> int:
    """The count in an `<a/>`. StreamError where there is none."""
    text = element.attrs.get("h", "")
    if len(text) <= 10 and text.isascii() and text.isdigit() and (handled := int(text)) <= LARGEST:
        return handled
    raise StreamError("invalid-xml", f"'h' of <{element.name}/> is a number of 32 bits")


def failed(error: StanzaError, handled: int | None = None) -> Element:
    """The server's refusal of `<enable/>` or `<resume/>` (§6); `handled` is of a session that it knows and that is
    over."""
    element = Element("failed", NS, Element(error.condition, STANZAS))
    return element if handled is None else element.set("h", handled & LARGEST)


def read_failed(element: Element) -> tuple[StanzaError, int | None]:
    """What a server refused with, and how many stanzas it had handled if it says so. StreamError for a count that is
    none."""
    condition = next((child.name for child in element.elements(ns=STANZAS) if child.name in STANZA_CONDITIONS), "")
    handled = read_handled(element) if "h" in element.attrs else None
    return StanzaError(condition or "undefined-condition"), handled


def _check_count(count: int) -> None:
    if not 0 <= count <= LARGEST:
        raise PayloadError(f"{count} is no number of 32 bits without sign")


def _check_positive(seconds: int | None) -> None:
    if seconds is not None and seconds <= 0:
        raise PayloadError(f"{seconds} is no number of seconds for which to wait")
