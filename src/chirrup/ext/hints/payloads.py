"""The four hints, each an empty element in a message (XEP-0334 §4)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from chirrup.core.xml import Element
from chirrup.ext.hints import NS


class Hint(Enum):
    """What the sender would like."""

    NO_PERMANENT_STORE = "no-permanent-store"
    """In no archive or log; it may wait for its receiver."""
    NO_STORE = "no-store"
    """Stored nowhere, not even until its receiver is there."""
    NO_COPY = "no-copy"
    """Copied to nobody but the full JID that it is for."""
    STORE = "store"
    """Stored, though it might not look worth it."""


_HINTS: Final = {hint.value: hint for hint in Hint}


def hints_of(message: Element) -> frozenset[Hint]:
    """The hints that a message has. Those of an error count for nothing: they may be the original message's (§5)."""
    if message.get("type") == "error":
        return frozenset()
    return frozenset(_HINTS[child.name] for child in message.elements(ns=NS) if child.name in _HINTS)


def add_hints(message: Element, *hints: Hint) -> None:
    """Add hints to a message, each once."""
    for hint in hints:
        if message.child(hint.value, NS) is None:
            message.c(hint.value, NS)
