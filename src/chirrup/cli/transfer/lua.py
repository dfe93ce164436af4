"""Tables of Lua, as Prosody writes them down: `return { … };` in a `.dat` file, `item({ … });` time and again in a
`.list`. They are read as data; nothing is ever run.

A table becomes a `Table`: what is at keys, and in order what has no key. A file is mapped into memory, and read entry
by entry, so that its size doesn't matter.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from chirrup.cli.transfer.events import Place, Unreadable

_DEEPEST: Final = 200
_LONGEST_NUMBER: Final = 100
"""Characters; Lua's numbers have 64 bits, and Python refuses to read or to write very long ones."""
_SPACE: Final = re.compile(rb"(?:[ \t\r\n]++|--[^\n]*+\n?)*+")
_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*+")
_NUMBER: Final = re.compile(rb"-?(?:0[xX][0-9a-fA-F]++|(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")
_STRING: Final = re.compile(rb'"((?:[^"\\\n]++|\\(?s:.))*+)"|\'((?:[^\'\\\n]++|\\(?s:.))*+)\'')
_ESCAPE: Final = re.compile(rb"\\(?:([0-9]{1,3})|x([0-9a-fA-F]{2})|z\s*|(\r\n|(?s:.)))")
_ESCAPED: Final = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"\r\n": b"\n",
}  # fmt: skip
NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that XML can't have."""
_WORDS: Final = {b"true": True, b"false": False, b"nil": None}

Value: TypeAlias = "str | bytes | int | float | bool | Table | None"


@dataclass(slots=True)
class Table:
    """A table of Lua."""

    keyed: dict[Any, Value] = field(default_factory=dict)
    listed: list[Value] = field(default_factory=list)

    def get(self, key: object) -> Value:
        return self.keyed.get(key)

    def text(self, key: object) -> str:
        """The string at a key; "" where something else is there."""
        value = self.keyed.get(key)
        return value if isinstance(value, str) else ""

    def table(self, key: object) -> Table:
        """The table at a key; an empty one where something else is there."""
        value = self.keyed.get(key)
        return value if isinstance(value, Table) else Table()


def read_table(file: Path) -> Table:
    """The table that a `.dat` file returns. Raises Unreadable."""
    for _, table in _entries(file, b"return"):
        return table
    return Table()


def read_items(file: Path) -> Iterator[tuple[Place, Table]]:
    """The items of a `.list` file, and where they begin. Raises Unreadable where it goes wrong; what came before is
    whole."""
    return _entries(file, b"item")


def _entries(file: Path, word: bytes) -> Iterator[tuple[Place, Table]]:
    try:
        with file.open("rb") as source:
            if not file.stat().st_size:
                return
            with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from _Reader(str(file), data).entries(word)
    except OSError as error:
        raise Unreadable(Place(str(file)), error.strerror or str(error)) from None


class _Reader:
    def __init__(self, file: str, data: mmap.mmap | bytes) -> None:
        self._file = file
        self._data = data
        self._at = 0
        self._counted = 0, 1  # up to which octet lines are counted, and how many there were

    def entries(self, word: bytes) -> Iterator[tuple[Place, Table]]:
        while True:
            self._skip()
            if self._at >= len(self._data):
                return
            place = self._place()
            self._take(word)
            inside = self._taken(b"(")
            value = self._value(0)
            if not isinstance(value, Table):
                raise self._wrong("no table")
            if inside:
                self._take(b")")
            self._taken(b";")
            yield place, value

    def _place(self) -> Place:
        octets, lines = self._counted
        lines += self._data[octets : self._at].count(b"\n")
        self._counted = self._at, lines
        return Place(self._file, lines)

    def _wrong(self, what: str) -> Unreadable:
        return Unreadable(self._place(), f"it isn't what Prosody writes: {what}")

    def _skip(self) -> None:
        match = _SPACE.match(self._data, self._at)
        assert match is not None
        self._at = match.end()

    def _taken(self, symbol: bytes) -> bool:
        """Whether that is what comes next; then it is behind us."""
        self._skip()
        if self._data[self._at : self._at + len(symbol)] != symbol:
            return False
        self._at += len(symbol)
        return True

    def _take(self, symbol: bytes) -> None:
        if not self._taken(symbol):
            raise self._wrong(f"{symbol.decode()!r} is missing")

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        match = pattern.match(self._data, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _value(self, depth: int) -> Value:
        if depth > _DEEPEST:
            raise self._wrong("tables are nested too deep")
        self._skip()
        if self._taken(b"{"):
            return self._table(depth)
        if (match := self._match(_STRING)) is not None:
            return _string(match[1] if match[1] is not None else match[2])
        if (match := self._match(_NUMBER)) is not None:
            if len(match[0]) > _LONGEST_NUMBER:
                raise self._wrong("a number that is too long")
            return _number(match[0])
        if (match := self._match(_NAME)) is not None and match[0] in _WORDS:
            return _WORDS[match[0]]
        raise self._wrong("no value")

    def _table(self, depth: int) -> Table:
        table = Table()
        while not self._taken(b"}"):
            if self._taken(b"["):
                key = self._value(depth + 1)
                self._take(b"]")
                self._take(b"=")
                if isinstance(key, Table):
                    raise self._wrong("a table as a key")
                self._put(table, key, self._value(depth + 1))
            elif (key := self._name()) is not None:
                table.keyed[key] = self._value(depth + 1)
            else:
                table.listed.append(self._value(depth + 1))
            if not self._taken(b";") and not self._taken(b","):
                self._take(b"}")
                break
        return table

    def _name(self) -> str | None:
        """A key that is a name; None where a value comes."""
        self._skip()
        match = _NAME.match(self._data, self._at)
        if match is None or match[0] in _WORDS:
            return None
        self._at = match.end()
        self._take(b"=")
        return match[0].decode()

    @staticmethod
    def _put(table: Table, key: Value, value: Value) -> None:
        # Python takes True for 1. Entries in order may have been written with their numbers.
        if not isinstance(key, bool) and key == len(table.listed) + 1:
            table.listed.append(value)
        else:
            table.keyed[key] = value


def _string(written: bytes) -> str | bytes:
    """Bytes where it is no UTF-8, or has characters that XML can't have."""
    octets = _ESCAPE.sub(_escaped, written) if b"\\" in written else written
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return octets
    return text if text.isprintable() or NO_XML.search(text) is None else octets


def _escaped(match: re.Match[bytes]) -> bytes:
    decimal, hexadecimal, other = match.groups()
    if decimal:
        return bytes([min(int(decimal), 255)])
    if hexadecimal:
        return bytes.fromhex(hexadecimal.decode())
    return b"" if other is None else _ESCAPED.get(other, other)


def _number(written: bytes) -> int | float:
    text = written.decode().lower()
    if "x" in text:
        return int(text, 16)
    return float(text) if any(sign in text for sign in ".e") else int(text)
