"""Counting stanzas by scanning: nothing is parsed, and the octets may be cut in two anywhere."""

from __future__ import annotations

import re
from typing import Final

_IQ: Final = re.compile(rb"<iq\b[^>]*>")
_ATTRIBUTE: Final = re.compile(rb"\b(id|from|type)=(?:'([^']*)'|\"([^\"]*)\")")


class Counter:
    """Counts occurrences of one needle, which mustn't overlap itself, in octets that come in pieces."""

    __slots__ = ("_needle", "_tail", "total")

    def __init__(self, needle: bytes) -> None:
        self._needle = needle
        self._tail = b""
        self.total = 0

    def feed(self, data: bytes) -> int:
        """How many more there are now."""
        data = self._tail + data
        found = data.count(self._needle)
        self.total += found
        # The longest rest that could still become the needle, but that doesn't hold a whole one.
        end = data.rfind(self._needle)
        rest = data[end + len(self._needle) :] if end >= 0 else data
        self._tail = rest[max(0, len(rest) - len(self._needle) + 1) :]
        return found


class Answers:
    """Finds the questions in octets that come in pieces (`<iq type='get'>`, by which a server learns that its client is
    there), and what to answer to them."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """The results to send for the questions that are whole by now."""
        data = self._tail + data
        answers = []
        end = 0
        for found in _IQ.finditer(data):
            end = found.end()
            attributes = {m[1]: m[2] or m[3] or b"" for m in _ATTRIBUTE.finditer(found[0])}
            if attributes.get(b"type") == b"get":
                to = b" to='" + attributes[b"from"] + b"'" if attributes.get(b"from") else b""
                answers.append(b"<iq type='result' id='" + attributes.get(b"id", b"") + b"'" + to + b"/>")
        rest = data[end:]
        start = rest.rfind(b"<")
        self._tail = b"" if start < 0 or b">" in rest[start:] else rest[start:]
        return b"".join(answers)
