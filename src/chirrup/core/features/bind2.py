"""Bind 2 (XEP-0386): a resource, and what is to be on from its first moment, asked for while somebody authenticates.

It has no turn of its own: its elements travel in those of `sasl2`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.record import record
from chirrup.core.xml import Element

NS: Final = "urn:xmpp:bind:0"
XEPS: Final = ((386, "1.1.0", "offline messages that aren't in the archive are delivered all the same"),)

MAX_WISHES: Final = 32
"""Elements in one request that are looked at; nobody has as many features."""


@record
class BindWish:
    """What a client asks for."""

    tag: str = ""
    """How its resource is to begin: a name for its program. As it was sent."""
    features: tuple[Element, ...] = ()
    """What to switch on."""


def offer(namespaces: Iterable[str]) -> Element:
    """`<bind/>` in SASL2's `<inline/>`; the namespaces are of what can be switched on (§3.1)."""
    features = [Element("feature", var=namespace) for namespace in namespaces]
    return Element("bind", NS, Element("inline", "", *features) if features else None)


def read_offer(bind: Element) -> frozenset[str]:
    """The namespaces of what can be switched on."""
    inline = bind.child("inline")
    return frozenset() if inline is None else frozenset(item.get("var") for item in inline.elements("feature", NS))


def wish(tag: str, features: Iterable[Element]) -> Element:
    """`<bind/>` in a client's `<authenticate/>` (§3.2)."""
    return Element("bind", NS, Element("tag", "", tag) if tag else None, *features)


def read_wish(bind: Element) -> BindWish:
    features = [element for element in bind.elements() if element.ns != NS]
    return BindWish(bind.child_text("tag").strip(), tuple(features[:MAX_WISHES]))


def bound(results: Iterable[Element]) -> Element:
    """The server's `<bound/>`, with what the features have to say."""
    return Element("bound", NS, *results)
