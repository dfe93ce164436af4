"""Under which keys private elements are stored."""

from __future__ import annotations

from typing import Final

from chirrup.core.errors import StanzaError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.private_storage import NS

_NOT_OWN: Final = frozenset({"", NS, CLIENT})
"""Namespaces that an element has because it declares none."""


def key(element: Element) -> str:
    """Under which key of the map an element is kept. StanzaError for one without a namespace of its own."""
    if element.ns in _NOT_OWN:
        raise StanzaError("not-acceptable", "the element needs a namespace of its own")
    return f"{{{element.ns}}}{element.name}"
