"""What of XHTML may be shown: the elements, attributes and style properties that XEP-0071 §7 recommends, and values of
which it is known what they are. Everything else is left out; nothing is kept because it looks harmless."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.ext.xhtml import XHTML

DEEPEST: Final = 30
"""Elements in elements; deeper ones are left out."""

_ALLOWED: Final = frozenset(
    {"a", "blockquote", "br", "cite", "code", "em", "img", "li", "ol", "p", "pre", "span", "strong", "ul"}
)
_STYLED: Final = frozenset({"a", "blockquote", "cite", "li", "ol", "p", "span", "ul"})
_EMPTY: Final = frozenset({"br", "img"})
_LINES: Final = frozenset({"blockquote", "li", "p", "pre"})
_SILENT: Final = frozenset(
    {
        "applet", "audio", "base", "embed", "form", "frame", "frameset", "head", "iframe", "link", "math", "meta",
        "noscript", "object", "param", "script", "select", "style", "svg", "template", "textarea", "title", "video",
    }
)  # fmt: skip
"""What is in these isn't text. Of other unknown elements the content is kept."""

_LINK: Final = re.compile(r"(?:https?://|mailto:|xmpp:)[^\s\x00-\x20\x7f\"'<>\\`]+", re.IGNORECASE)
_IMAGE: Final = re.compile(r"(?:https?://|cid:)[^\s\x00-\x20\x7f\"'<>\\`]+", re.IGNORECASE)
_LONGEST_ADDRESS: Final = 2_000
_SIZE: Final = re.compile(r"[1-9]\d{0,2}")
_COLOUR: Final = r"(?:#[0-9a-f]{3}|#[0-9a-f]{6}|[a-z]{3,20}|rgb\( *\d{1,3} *, *\d{1,3} *, *\d{1,3} *\))"
_MARGIN: Final = r"\d{1,2}(?:px|pt|%)"
_PROPERTIES: Final = {
    name: re.compile(pattern)
    for name, pattern in {
        "background-color": _COLOUR,
        "color": _COLOUR,
        "font-family": r"[a-z][a-z0-9 ,-]{0,99}",
        "font-size": r"(?:x{1,2}-)?(?:small|large)|medium|smaller|larger|[1-3]?\d(?:px|pt)|[1-2]?\d{2}%",
        "font-style": r"normal|italic|oblique",
        "font-weight": r"normal|bold|bolder|lighter|[1-9]00",
        "margin-left": _MARGIN,
        "margin-right": _MARGIN,
        "text-align": r"left|right|center|justify",
        "text-decoration": r"none|underline|line-through",
    }.items()
}


@record
class Node:
    """An element that may be shown."""

    name: str
    attributes: dict[str, str]
    children: list[Node | str]


def sanitise(body: Element) -> Node:
    """What is left of a <body/>."""
    return Node("body", {}, _children(body, DEEPEST))


def _children(element: Element, deepest: int) -> list[Node | str]:
    kept: list[Node | str] = []
    for child in element.children:
        if isinstance(child, str):
            kept.append(child)
        elif isinstance(child, Element) and child.ns == XHTML and child.name not in _SILENT and deepest:
            if child.name not in _ALLOWED:
                kept += _children(child, deepest - 1)
            elif child.name in _EMPTY:
                kept.append(Node(child.name, _attributes(child), []))
            else:
                kept.append(Node(child.name, _attributes(child), _children(child, deepest - 1)))
    return kept


def _attributes(element: Element) -> dict[str, str]:
    kept: dict[str, str] = {}
    if element.name == "a" and (href := _address(_LINK, element.get("href"))):
        kept["href"] = href
    if element.name == "img":
        kept["alt"] = element.get("alt")
        if src := _address(_IMAGE, element.get("src")):
            kept["src"] = src
        for name in ("width", "height"):
            if _SIZE.fullmatch(element.get(name)):
                kept[name] = element.get(name)
    if element.name in _STYLED and (style := _style(element.get("style"))):
        kept["style"] = style
    return kept


def _address(pattern: re.Pattern[str], address: str) -> str:
    address = address.strip()
    return address if len(address) <= _LONGEST_ADDRESS and pattern.fullmatch(address) else ""


def _style(style: str) -> str:
    """The declarations that are known, each property's last."""
    kept: dict[str, str] = {}
    for declaration in style.lower().split(";")[:50]:
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        if name in _PROPERTIES and _PROPERTIES[name].fullmatch(value):
            kept[name] = value
    return "; ".join([f"{name}: {value}" for name, value in kept.items()])


# -- showing


def to_html(node: Node, *, images: bool = False) -> str:
    """What is in a node as HTML."""
    return "".join([escape(child) if isinstance(child, str) else _html(child, images) for child in node.children])


def _html(node: Node, images: bool) -> str:
    attributes = dict(node.attributes)
    if node.name == "img" and not (images and "src" in attributes):
        return escape(attributes["alt"])
    if "href" in attributes:
        attributes["rel"] = "noopener noreferrer nofollow"
    written = "".join([f' {name}="{escape(value)}"' for name, value in attributes.items()])
    if node.name in _EMPTY:
        return f"<{node.name}{written}>"
    return f"<{node.name}{written}>{to_html(node, images=images)}</{node.name}>"


def to_text(node: Node) -> str:
    """What is in a node as text, with line breaks where blocks end, and each link's address where it isn't what the
    link says."""
    return re.sub(r"\n{3,}", "\n\n", "".join(_text(node))).strip()


def _text(node: Node) -> list[str]:
    parts: list[str] = []
    for child in node.children:
        if isinstance(child, str):
            parts.append(child)
        elif child.name == "br":
            parts.append("\n")
        elif child.name == "img":
            parts.append(child.attributes["alt"])
        else:
            inside = _text(child)
            if child.name in _LINES and parts and not parts[-1].endswith("\n"):
                parts.append("\n")
            parts += inside
            href = child.attributes.get("href", "")
            if href and href != "".join(inside).strip():
                parts.append(f" ({href})")
            if child.name in _LINES:
                parts.append("\n")
    return parts
