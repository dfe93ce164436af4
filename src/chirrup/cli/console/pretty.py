"""Stanzas for people to read: indented, coloured, and without anything in them that a terminal would obey."""

from __future__ import annotations

import re
from typing import Final

from rich.text import Text

from chirrup.core.writing import XML
from chirrup.core.xml import CLIENT, Element, escape_attribute, escape_text

_INDENT: Final = "  "
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters, by which a peer could write elsewhere on the screen, and those that change directions."""
_TAG, _NAME, _VALUE, _PUNCTUATION = "bold cyan", "green", "yellow", "dim"


def show(element: Element, ns: str = CLIENT) -> Text:
    """The element in lines, in a place where `ns` is the default namespace. Mixed content stays as it is, since white
    space counts there."""
    out = Text()
    _element(out, element, ns, 0)
    return out


def visible(text: str) -> str:
    """A text without what a terminal would obey: references stand in its place."""
    return _UNSEEN.sub(lambda found: f"&#x{ord(found[0]):X};", text)


def _element(out: Text, element: Element, ns: str, depth: int | None) -> None:
    """`depth` None keeps it in the line."""
    out.append("<", _PUNCTUATION).append(visible(element.name), _TAG)
    if element.ns != ns:
        _attribute(out, "xmlns", element.ns)
    for name, value in element.attrs.items():
        _attribute(out, name.replace(f"{XML}}}", "xml:"), value)
    if not element.children:
        out.append("/>", _PUNCTUATION)
        return
    out.append(">", _PUNCTUATION)
    texts = [child for child in element.children if isinstance(child, str)]
    mixed = depth is None or any(text.strip() for text in texts) or len(texts) == len(element.children)
    inner = None if mixed or depth is None else depth + 1
    for child in element.children:
        if isinstance(child, str):
            if mixed:
                out.append(visible(escape_text(child)))
            continue
        if inner is not None:
            out.append("\n" + _INDENT * inner)
        _element(out, child, element.ns, inner)
    if inner is not None:
        out.append("\n" + _INDENT * (inner - 1))
    out.append("</", _PUNCTUATION).append(visible(element.name), _TAG).append(">", _PUNCTUATION)


def _attribute(out: Text, name: str, value: str) -> None:
    out.append(" ").append(visible(name), _NAME).append("='", _PUNCTUATION)
    out.append(visible(escape_attribute(value)), _VALUE).append("'", _PUNCTUATION)
