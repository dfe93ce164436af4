"""The wire log: all that comes and goes on a stream, written only where `log.wire` asks for it.

What people log in with is masked even there: the contents of SASL elements and of passwords.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from chirrup.server.logs import WIRE, Logger, get_logger

_MASKED: Final = (
    b"auth|response|challenge|success|initial-response|additional-data|continue|task-data"
    b"|password|digest|token|hashed-token"
)
_OPENING: Final = re.compile(rb"<((?:[^\s<>/!?:]+:)?(?:" + _MASKED + rb"))(?:\s[^<>]*)?(?<!/)>")
_LONGEST_TAG: Final = 4096


class WireLog:
    """Writes one stream's octets, each direction with its own masking, whatever pieces they come in."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._received = _Masker()
        self._sent = _Masker()

    def received(self, data: bytes) -> None:
        self._write("received", self._received, data)

    def sent(self, data: bytes) -> None:
        self._write("sent", self._sent, data)

    def _write(self, direction: str, masker: _Masker, data: bytes) -> None:
        shown = masker.feed(data)
        if shown:
            self._log.debug(direction, xml=shown.decode(errors="replace"))


def wire_log(stream_id: str, peer: str) -> WireLog | None:
    """The wire log of one stream, or None where it is off: it takes a level of its own, none that is inherited."""
    if logging.getLogger(WIRE).level != logging.DEBUG:
        return None
    return WireLog(get_logger(WIRE, stream=stream_id, peer=peer))


class _Masker:
    """Replaces what stands in a masked element. A tag that has only begun waits for its end."""

    def __init__(self) -> None:
        self._rest = b""
        self._closing = b""

    def feed(self, data: bytes) -> bytes:
        data, self._rest = self._rest + data, b""
        shown = []
        while data:
            if self._closing:
                end = data.find(self._closing)
                if end < 0:
                    self._rest = data[-len(self._closing) :]
                    break
                data, self._closing = data[end:], b""
            opening = _OPENING.search(data)
            if opening is None:
                shown.append(self._hold_back(data))
                break
            shown += [data[: opening.end()], b"\xe2\x80\xa6"]
            data, self._closing = data[opening.end() :], b"</" + opening[1]
        return b"".join(shown)

    def _hold_back(self, data: bytes) -> bytes:
        """What can be shown; a tag whose end isn't there yet is kept for the next piece."""
        begun = data.rfind(b"<")
        if begun < 0 or b">" in data[begun:] or len(data) - begun > _LONGEST_TAG:
            return data
        self._rest = data[begun:]
        return data[:begun]
