from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from chirrup.server.toml_lines import KeyPath, key_lines

TEXT = r'''# a comment with a [header] in it
title = "one" # and = one behind
"quoted \"key\"" = 'literal'
'also.quoted' = 1979-05-27 07:32:00
a.b . "c.d" = 1
long = """
[not.a.header]
key = "no" \""" still"""""
raw = \'\'\'
x = ]
\'\'\'
list = [
    1, # one ]
    "two",

    { name = "three", deep = { er = true } },
    [4, [5]],
]
empty = []
point = { x = 1, y.z = 2, "q r" = [] }

[table]
key = -1.5e3
[ table . "sub.table" ]
key = true

[[array]]
n = 0
[array.inner]
x = 1
[[array]]
n = 1
[[array.nested]]
deep = 1
[[array.nested]]
deep = 2
[later.first]
[later]
key = 1'''.replace("\\'", "'")


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_path_of_the_text_has_a_line_and_nothing_else_has(newline: str) -> None:
    text = TEXT.replace("\n", newline)
    assert set(key_lines(text)) == set(paths(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (('quoted "key"',), 3),
        (("also.quoted",), 4),
        (("a",), 5),
        (("a", "b", "c.d"), 5),
        (("long",), 6),
        (("raw",), 9),
        (("list",), 12),
        (("list", 0), 13),
        (("list", 1), 14),
        (("list", 2), 16),
        (("list", 2, "deep", "er"), 16),
        (("list", 3, 1, 0), 17),
        (("empty",), 19),
        (("point", "y", "z"), 20),
        (("table",), 22),
        (("table", "key"), 23),
        (("table", "sub.table"), 24),
        (("table", "sub.table", "key"), 25),
        (("array", 0), 27),
        (("array", 0, "inner", "x"), 30),
        (("array", 1, "n"), 32),
        (("array", 1, "nested", 0, "deep"), 34),
        (("array", 1, "nested", 1, "deep"), 36),
        (("later", "first"), 37),
        (("later",), 38),
        (("later", "key"), 39),
    ],
)
def test_lines(path: KeyPath, line: int) -> None:
    assert key_lines(TEXT)[path] == line


def test_a_text_without_keys() -> None:
    assert key_lines("") == key_lines("\n # nothing\n") == {}
