"""Lists that fit the terminal; in a pipe, one line each, for programs that look for something in them."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator


def listed(label: str, items: Iterable[str]) -> Iterator[str]:
    """The label with the items behind it, in as many lines as they need; further ones begin below the first item."""
    line = label + ", ".join(items)
    if not sys.stdout.isatty():
        yield line
        return
    width = shutil.get_terminal_size().columns
    indent = " " * (len(label) if len(label) < width // 2 else 8)
    yield from textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
