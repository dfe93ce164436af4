"""Stanzas that this end has written itself, read again."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import CLIENT, STREAMS, Element

_HEADER: Final = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
_LIMITS: Final = Limits(stanza_bytes=1 << 30, depth=10_000, attributes=10_000, elements=1 << 30)
"""They passed once, in part before something was added."""


class Rereader:
    """Reads what was written to a client, one write after the other."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._parser = StreamParser(_LIMITS)
        self._parser.feed(_HEADER)

    def read(self, written: bytes) -> list[Element]:
        """The stanza that was written; nothing where that is none, or isn't whole, which makes no difference to those
        that follow."""
        try:
            found = self._parser.feed(written)
        except StreamError:
            found = []
        if found and self._parser.idle:
            return found
        self.discard()
        self._begin()
        return []

    def discard(self) -> None:
        """Nothing more is to be read: memory is freed at once."""
        self._parser.discard()
