"""The push parser: bytes in, one `Element` for each first-level child of the stream out.

Everything that RFC 6120 §11 forbids, and everything over a limit, is a `StreamError` that names the condition to
send. After an error the parser takes nothing more.
"""

from __future__ import annotations

from typing import Final

from chirrup.core import accelerator
from chirrup.core.errors import StreamError
from chirrup.core.reader import Reader as PythonReader
from chirrup.core.refusals import Limits, not_utf8, too_big
from chirrup.core.xml import CONTENT_NAMESPACES, Element, escape_attribute

__all__ = ["CONTENT_NAMESPACES", "Limits", "StreamParser"]

Reader = accelerator.reader.Reader if accelerator.FORM == "compiled" else PythonReader

_WHITE: Final = b" \t\r\n"
_TLS_HANDSHAKE: Final = b"\x16"
"""The first octet of a client that begins with TLS (RFC 8446 §5.1)."""


class StreamParser:
    """Parses one XML stream, from header to closing tag.

    `feed()` returns the first-level elements that are now whole. `header` is the stream element, without its
    children, once its start tag was seen, and `prefixes` are the namespaces it declared; `ended` turns true at
    its end tag, after which everything is ignored.
    """

    def __init__(self, limits: Limits) -> None:
        self.header: Element | None = None
        self.prefixes: dict[str, str] = {}
        self.ended = False
        self.limits = limits
        self.ready: list[Element] = []
        """First-level elements that are whole and were not returned, because a fault came behind them."""
        self._held = b""  # what follows the last ">": it can't complete anything yet
        self._name = b""  # the stream element's name as the peer writes it, prefix and all
        self._error: StreamError | None = None
        self._reader: PythonReader | None = Reader(limits, self.prefixes)  # None while the parser rests

    @property
    def idle(self) -> bool:
        """Whether the parser stands between two first-level elements with nothing half read."""
        return not self._held and (self._reader is None or _between(self._reader))

    def feed(self, data: bytes) -> list[Element]:
        """Take octets from the peer; raises StreamError, at once and at every later call.

        What was whole before the fault is left in `ready`."""
        if self._error is not None:
            raise self._error
        if self.ended:
            return []
        if self._held or not data.endswith(b">"):
            data = self._hold(data)
        reader = self._reader
        if reader is None:
            if self._is_blank(data):
                return []
            reader = self._reader = self._begin_again()
        try:
            if not reader.fed:
                _check_first(data or self._held)
            reader.read(data)
            if self.header is None or reader.ended:
                self._look(reader)
            if self._held and self.header is not None and _between(reader):
                self._held = self._held.lstrip(_WHITE)
            if reader.fed - reader.start + len(self._held) > self.limits.stanza_bytes:
                self._check_size(reader)
        except StreamError as error:
            self._look(reader)
            if not self.ended:
                self.ready, self._error = reader.ready, error
                raise
        ready = reader.ready
        if ready:
            reader.ready = []
            if reader.full and not self.ended:
                self._renew(reader, data)
        return ready

    def _hold(self, data: bytes) -> bytes:
        """Keep back what comes after the last ">". Expat would scan an unfinished tag again for each piece, which
        a peer that sends single octets could make quadratic."""
        data = self._held + data
        end = data.rfind(b">") + 1
        self._held = data[end:]
        return data[:end]

    def _is_blank(self, data: bytes) -> bool:
        """Whether it disturbs no rest, being white space."""
        if data:
            return False
        self._held = self._held.lstrip(_WHITE)
        return not self._held

    def _look(self, reader: PythonReader) -> None:
        """Learn of the stream's header and end."""
        if self.header is None:
            self.header, self._name = reader.header, reader.name
        self.ended = reader.ended

    def _check_size(self, reader: PythonReader) -> None:
        if not reader.open and self.header is not None:
            reader.start = reader.position  # what came before is complete and was within the limit
        if reader.fed - reader.start + len(self._held) > self.limits.stanza_bytes:
            raise too_big(self.limits)

    def _renew(self, reader: PythonReader, data: bytes) -> None:
        """Replace a reader that is full.

        The new one reads again what the old one was given in `data`, in which an element ended, of the element that
        now is open."""
        begun = reader.start if reader.open else reader.position
        unfinished = data[len(data) - (reader.fed - begun) :] if begun < reader.fed else b""
        reader.discard()
        self._reader = self._begin_again()
        self._reader.read(unfinished)

    def _begin_again(self) -> PythonReader:
        """A new reader inside the same stream."""
        return Reader(self.limits, self.prefixes, self.opening)

    @property
    def opening(self) -> bytes:
        """A start tag that means to stanzas what the stream's own does: its name and the namespaces it declares."""
        declared = "".join(
            f" xmlns{prefix and f':{prefix}'}='{escape_attribute(uri)}'" for prefix, uri in self.prefixes.items()
        )
        return b"<%b%b>" % (self._name, declared.encode())

    def rest(self) -> bool:
        """Let go of the reader, which has 13 KiB or more, until more comes in. Says whether it could: only between two
        stanzas of an open stream."""
        reader = self._reader
        if reader is None:
            return True
        if self.header is None or self.ended or self._error is not None or not self.idle:
            return False
        reader.discard()
        self._reader = None
        return True

    def discard(self) -> None:
        """Nothing more is to be parsed: memory is freed at once."""
        if self._reader is not None:
            self._reader.discard()


def _between(reader: PythonReader) -> bool:
    return not reader.open and reader.position == reader.fed


def _check_first(data: bytes) -> None:
    """Expat would wait for more after a quotation mark, for one."""
    first = data.lstrip(_WHITE)[:1]
    if first not in (b"", b"<", b"\xef"):
        if first in b"\0\xfe\xff":
            raise not_utf8()
        text = "an XML stream begins with a tag"
        if first == _TLS_HANDSHAKE:
            text += "; this is TLS, which has a port of its own where it comes first"
        raise StreamError("not-well-formed", text)
