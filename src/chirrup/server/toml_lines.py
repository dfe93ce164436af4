"""On which line of a TOML text each key stands, which `tomllib` doesn't tell.

`key_lines` walks a text that `tomllib` has already accepted, so it needn't check anything: it only has to know where
keys, strings, arrays and inline tables begin and end.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

KeyPath = tuple[str | int, ...]
"""The way to a value from the root: a key for a table, an index for an array."""

_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_KEY: Final = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
_SCALAR: Final = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each key and array element, and of each table (its header, or else where it first
    comes up as a part of a longer name)."""
    return _Walk(text).lines


def key_path(key: str) -> KeyPath:
    """The way that a key of tables takes, as TOML spells it: `hosts."example.org".key`."""
    path, inner = [], tomllib.loads(f"{key} = 0")
    while isinstance(inner, dict):
        ((part, inner),) = inner.items()
        path.append(part)
    return tuple(path)


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[KeyPath, int] = {}
        self.sizes: dict[KeyPath, int] = {}
        table: KeyPath = ()
        self.skip(_BLANK)
        while self.at < len(text):
            table = self.statement(table)
            self.skip(_BLANK)

    def statement(self, table: KeyPath) -> KeyPath:
        """A header or a pair; gives the table that what follows belongs to."""
        if self.text.startswith("[[", self.at):
            self.at += 2
            path = self.key(())
            index = self.sizes[path] = self.sizes.get(path, -1) + 1
            self.at += 2
            self.lines[*path, index] = self.line
            return (*path, index)
        if self.text[self.at] == "[":
            self.at += 1
            path = self.key(())
            self.at += 1
            return path
        self.pair(table)
        return table

    def pair(self, table: KeyPath) -> None:
        path = self.key(table)
        self.at += 1  # the "="
        self.skip(_BLANK)
        self.value(path)

    def key(self, path: KeyPath) -> KeyPath:
        """A dotted key below a path, with the space around it."""
        while True:
            self.skip(_SPACE)
            start = self.at
            self.skip(_KEY)
            name = self.text[start : self.at]
            path = (*path, name if name[0] not in "\"'" else tomllib.loads(f"name = {name}")["name"])
            self.lines.setdefault(path, self.line)
            self.skip(_SPACE)
            if self.text[self.at] != ".":
                self.lines[path] = self.line
                return path
            self.at += 1
            if path in self.sizes:  # [array.table] speaks of the array's last element
                path = (*path, self.sizes[path])

    def value(self, path: KeyPath) -> None:
        if self.text[self.at] == "[":
            for index in self.items("]"):
                self.lines[*path, index] = self.line
                self.value((*path, index))
        elif self.text[self.at] == "{":
            for _ in self.items("}"):
                self.pair(path)
        else:
            self.skip(_SCALAR)

    def items(self, end: str) -> Iterator[int]:
        """Stops at the start of each item of an array or inline table, and behind its end."""
        self.at += 1
        self.skip(_BLANK)
        index = 0
        while self.text[self.at] != end:
            yield index
            index += 1
            self.skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self.skip(_BLANK)
        self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        assert match is not None, "the text was accepted as TOML"
        self.at = match.end()

    @property
    def line(self) -> int:
        return bisect_right(self.newlines, self.at - 1) + 1
