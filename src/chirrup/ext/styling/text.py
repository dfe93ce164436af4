"""The styling in a text: blocks of lines, and spans in lines (XEP-0393 §5). It takes time in proportion to the text,
whatever is in it.

    to_html("This is *important*") == "<p>This is <strong>*important*</strong></p>"
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from chirrup.core.record import record

DEEPEST: Final = 20
"""Quotations in quotations; what is deeper is plain."""

_TAGS: Final = {"*": "strong", "_": "em", "~": "del", "`": "code"}
_FENCE: Final = "```"


@record
class Span:
    """Text between two directives."""

    directive: str
    """"*" for strong, "_" for emphasis, "~" for struck through, "`" for preformatted."""
    inside: tuple[Span | str, ...]


@record
class Line:
    """A line of text."""

    spans: tuple[Span | str, ...]


@record
class Preformatted:
    """Lines that are to be shown as they stand."""

    text: str
    opening: str
    """The line that begins it."""
    closing: str
    """The line that ends it; "" if it goes to the end."""


@record
class Quotation:
    """What is quoted."""

    blocks: tuple[Block, ...]


Block = Line | Preformatted | Quotation


# -- reading


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a text."""
    return _blocks(text.split("\n"), DEEPEST)


def _blocks(lines: Sequence[str], deepest: int) -> tuple[Block, ...]:
    blocks: list[Block] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        end = place + 1
        if line.startswith(_FENCE):
            while end < len(lines) and lines[end] != _FENCE:
                end += 1
            closed = end < len(lines)
            blocks.append(Preformatted("\n".join(lines[place + 1 : end]), line, _FENCE if closed else ""))
            end += closed
        elif line.startswith(">") and deepest:
            while end < len(lines) and lines[end].startswith(">"):
                end += 1
            blocks.append(Quotation(_blocks([_unquoted(one) for one in lines[place:end]], deepest - 1)))
        else:
            blocks.append(Line(_Spans(line).all()))
        place = end
    return tuple(blocks)


def _unquoted(line: str) -> str:
    return line[2:] if line[1:2].isspace() else line[1:]


class _Spans:
    """The spans of one line."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._closing: dict[str, list[int]] = {directive: [] for directive in _TAGS}
        for place, character in enumerate(line):
            if character in _TAGS and place and not line[place - 1].isspace():
                self._closing[character].append(place)

    def all(self) -> tuple[Span | str, ...]:
        return self._between(0, len(self._line))

    def _between(self, start: int, end: int) -> tuple[Span | str, ...]:
        """The spans of a part, which is the line or what is inside a span: such begins after a directive."""
        line = self._line
        found: list[Span | str] = []
        plain = place = start
        while place < end:
            directive = line[place]
            if directive not in _TAGS or not (place == start or line[place - 1].isspace()):
                place += 1
                continue
            close = self._close(directive, place, end)
            if close is None:
                place += 1
            elif close == place + 1:  # nothing is between them, so neither is a directive
                place += 2
            else:
                if plain < place:
                    found.append(line[plain:place])
                inside = (line[place + 1 : close],) if directive == "`" else self._between(place + 1, close)
                found.append(Span(directive, inside))
                plain = place = close + 1
        if plain < end:
            found.append(line[plain:end])
        return tuple(found)

    def _close(self, directive: str, place: int, end: int) -> int | None:
        """Where the span ends that begins here, if one does."""
        if place + 1 >= end or self._line[place + 1].isspace():
            return None
        places = self._closing[directive]
        following = bisect_right(places, place)
        return places[following] if following < len(places) and places[following] < end else None


# -- showing


def to_html(text: str | Iterable[Block], *, directives: bool = True) -> str:
    """HTML in which nothing of the text is markup: p, blockquote, pre, strong, em, del and code. The directives are
    shown with what they style, as XEP-0393 §7 recommends, unless told otherwise."""
    blocks = parse(text) if isinstance(text, str) else text
    return "".join([_block_html(block, directives) for block in blocks])


def _block_html(block: Block, directives: bool) -> str:
    match block:
        case Line(spans):
            return f"<p>{_spans_html(spans, directives)}</p>"
        case Quotation(blocks):
            return f"<blockquote>{to_html(blocks, directives=directives)}</blockquote>"
        case Preformatted(text):
            return f"<pre>{escape(text)}</pre>"


def _spans_html(spans: Iterable[Span | str], directives: bool) -> str:
    made = []
    for span in spans:
        if isinstance(span, str):
            made.append(escape(span))
        else:
            tag, shown = _TAGS[span.directive], span.directive if directives else ""
            made.append(f"<{tag}>{shown}{_spans_html(span.inside, directives)}{shown}</{tag}>")
    return "".join(made)


def to_text(text: str | Iterable[Block]) -> str:
    """The text without directives; quotations keep their mark."""
    blocks = parse(text) if isinstance(text, str) else text
    return "\n".join([line for block in blocks for line in _block_lines(block)])


def _block_lines(block: Block) -> list[str]:
    match block:
        case Line(spans):
            return [_spans_text(spans)]
        case Quotation(blocks):
            return [f"> {line}" for inner in blocks for line in _block_lines(inner)]
        case Preformatted(text):
            return text.split("\n")


def _spans_text(spans: Iterable[Span | str]) -> str:
    return "".join([span if isinstance(span, str) else _spans_text(span.inside) for span in spans])
