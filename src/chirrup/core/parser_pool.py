"""Parsers that streams share.

Between two stanzas a parser knows nothing of its stream but how that was opened, so that any stream that was opened
alike can go on with it. An idle stream needs none of its own, which would be 17 KiB.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakValueDictionary

from chirrup.core.parser import Limits, StreamParser

_MOST: Final = 32
"""Parsers that a shelf keeps."""


class Shelf:
    """Parsers for the streams that were opened in one way."""

    __slots__ = ("__weakref__", "_free", "_limits", "_opening")

    def __init__(self, limits: Limits, opening: bytes) -> None:
        self._limits = limits
        self._opening = opening
        self._free: list[StreamParser] = []

    def take(self) -> StreamParser:
        if self._free:
            return self._free.pop()
        parser = StreamParser(self._limits)
        parser.feed(self._opening)
        return parser

    def put(self, parser: StreamParser) -> None:
        """Give a parser to others. It must be `idle`, not `ended`, and of a stream for which this is the shelf."""
        if len(self._free) < _MOST:
            self._free.append(parser)
        else:
            parser.discard()


class ParserPool:
    """A shelf for each way to open a stream that some stream holds on to."""

    def __init__(self) -> None:
        self._shelves: WeakValueDictionary[tuple[Limits, bytes], Shelf] = WeakValueDictionary()

    def shelf(self, parser: StreamParser) -> Shelf:
        """The shelf for the stream whose header this parser has read."""
        way = parser.limits, parser.opening
        found = self._shelves.get(way)
        if found is None:
            found = self._shelves[way] = Shelf(*way)
        return found
