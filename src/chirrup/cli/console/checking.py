"""What somebody types, checked before it is sent: stanzas, or what is wrong with them and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat
from xml.parsers.expat import errors

from chirrup.core.errors import AddressError, StreamError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stanza import IQ_TYPES, KINDS, MESSAGE_TYPES, PRESENCE_TYPES, is_stanza
from chirrup.core.xml import Element

_HEADER: Final = (
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>\n"
)
_LIMITS: Final = Limits(stanza_bytes=16_777_216, attributes=1_000, depth=1_000, elements=100_000)
_TYPES: Final = {"message": MESSAGE_TYPES, "presence": PRESENCE_TYPES, "iq": IQ_TYPES}
_NOTHING_MORE: Final = errors.codes[errors.XML_ERROR_NO_ELEMENTS]
_AT_THE_END: Final = (_NOTHING_MORE, errors.codes[errors.XML_ERROR_UNCLOSED_TOKEN])
"""Errors that come of what isn't there yet."""
_REQUESTS: Final = ("get", "set")


@dataclass(frozen=True)
class Mistake(Exception):  # noqa: N818 - it says what the person made
    """Something that can't be sent: where (line and column, both from 1) and what is wrong."""

    problem: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.problem}"

    def position(self, text: str) -> int:
        """The place as a number of characters from the beginning of what was typed."""
        lines = text.split("\n")
        return sum(len(line) + 1 for line in lines[: self.line - 1]) + self.column - 1


class Unfinished(Mistake):
    """It may become right when more of it is typed."""


def read(text: str) -> list[Element]:
    """The stanzas that a text is. Raises Mistake, and Unfinished where the end is missing."""
    _check_form(text)
    parser = StreamParser(_LIMITS)
    try:
        parser.feed(_HEADER)
        stanzas = parser.feed(text.strip().encode())
    except StreamError as error:
        forbidden = re.search(r"<[!?]", text)
        raise _at(text, forbidden.start() if forbidden else 0, error.text or error.condition) from None
    if not stanzas:
        raise Mistake("there is no stanza")
    for stanza in stanzas:
        _check(text, stanza)
    return stanzas


def _check_form(text: str) -> None:
    """Whether it is XML at all; expat knows the place."""
    parser = expat.ParserCreate("UTF-8", "}")
    depth = 0

    def here() -> tuple[int, int]:
        return parser.CurrentLineNumber - 1, parser.CurrentColumnNumber + 1

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 0:
            raise Mistake("this ends the stream; /quit does that", *here())

    def between(data: str) -> None:
        if depth == 1 and data.strip():
            raise Mistake("only white space may stand between stanzas", *here())

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, between
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)
    data = text.encode("utf-8", "replace")
    try:
        parser.Parse(_HEADER, False)
        parser.Parse(data, False)
        if depth > 1:
            raise Unfinished("the end is missing", *_end(text))
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        if error.code in _AT_THE_END:
            if error.code != _NOTHING_MORE:
                raise Unfinished("the end is missing", *_end(text)) from None
            return  # but for the stream's own end
        raise Mistake(expat.ErrorString(error.code) or "bad XML", max(error.lineno - 1, 1), error.offset + 1) from None


def _end(text: str) -> tuple[int, int]:
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _check(text: str, stanza: Element) -> None:
    """What servers refuse in any stanza (RFC 6120 §8)."""
    start = max(text.find(f"<{stanza.name}"), 0)
    if not is_stanza(stanza):
        kinds = ", ".join(f"<{kind}/>" for kind in sorted(KINDS))
        raise _at(text, start, f"<{stanza.name} xmlns='{stanza.ns}'/> is no stanza, which is one of {kinds}")
    kind = stanza.attrs.get("type")
    types = _TYPES[stanza.name]
    if kind is not None and kind not in types and stanza.name != "message":
        raise _at(text, _attribute(text, start, "type"), f"type is one of {', '.join(sorted(types))}")
    for name in ("to", "from"):
        if name in stanza.attrs:
            try:
                JID(stanza.attrs[name])
            except AddressError as error:
                raise _at(text, _attribute(text, start, name), str(error)) from None
    if stanza.name == "iq":
        if kind is None:
            raise _at(text, start, f"an IQ has a type, one of {', '.join(sorted(IQ_TYPES))}")
        payloads = sum(1 for _ in stanza.elements())
        if kind in _REQUESTS and payloads != 1:
            raise _at(text, start, f"an IQ {kind} has exactly one payload, not {payloads}")


def _attribute(text: str, start: int, name: str) -> int:
    found = re.compile(rf"\s{name}\s*=").search(text, start)
    return found.start() + 1 if found else start


def _at(text: str, position: int, problem: str) -> Mistake:
    before = text[: max(position, 0)]
    return Mistake(problem, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
