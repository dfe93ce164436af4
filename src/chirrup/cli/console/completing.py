"""What may stand where the cursor is: commands, stanzas, declared payloads, their attributes and namespaces."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Final

import chirrup.ext
from chirrup.cli.console import commands
from chirrup.core.payload import Payload, attributes_of
from chirrup.core.record import record
from chirrup.core.xml import CLIENT

_ATTRIBUTES: Final = ("to", "type", "id", "from", "xml:lang")
_OWN: Final = {
    "message": ("body", "subject", "thread"), "presence": ("show", "status", "priority"), "iq": ("error",)
}  # fmt: skip
"""Child elements of stanzas in their own namespace."""
_TAG: Final = re.compile(r"<(/?)([^\s<>/]+)((?:[^<>'\"]|'[^']*'|\"[^\"]*\")*?)(/?)>")
_XMLNS: Final = re.compile(r"""\sxmlns=(['"])(.*?)\1""")
_ARGUMENT: Final = re.compile(r"^/\S+\s+(?:\S+\s+)*(\S*)$")
_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_QUOTE: Final = re.compile(r"['\"]")
_MOST: Final = 200
"""Addresses that are remembered."""


@record
class Candidate:
    """Something that could be typed: the text, how many characters before the cursor it replaces, and what it is."""

    text: str
    replaces: int
    meaning: str = ""


def known_payloads() -> list[type[Payload]]:
    """The payload classes that features declare."""
    found: dict[tuple[str, str], type[Payload]] = {}
    for place in pkgutil.walk_packages(chirrup.ext.__path__, "chirrup.ext."):
        if place.name.endswith("payloads"):
            for value in vars(importlib.import_module(place.name)).values():
                if isinstance(value, type) and issubclass(value, Payload) and hasattr(value, "NAME"):
                    found.setdefault((value.NAME, value.NS), value)
    return [found[key] for key in sorted(found)]


class Completions:
    """Finds candidates. `meet` lets it know addresses."""

    def __init__(self, payloads: list[type[Payload]]) -> None:
        self._payloads = payloads
        self._addresses: dict[str, None] = {}

    def meet(self, address: str) -> None:
        """Remember an address that was seen, the latest first."""
        self._addresses.pop(address, None)
        self._addresses[address] = None
        if len(self._addresses) > _MOST:
            del self._addresses[next(iter(self._addresses))]

    def find(self, text: str) -> list[Candidate]:
        """What may come where the text before the cursor ends."""
        if text.startswith("/"):
            return list(self._command(text))
        return list(self._markup(text))

    def _command(self, text: str) -> Iterator[Candidate]:
        if " " not in text:
            for name in commands.NAMES:
                if name.startswith(text[1:]):
                    yield Candidate(f"/{name}", len(text), commands.purpose(name))
        elif found := _ARGUMENT.match(text):
            yield from self._starting(found[1])

    def _starting(self, begun: str) -> Iterator[Candidate]:
        for address in reversed(self._addresses):
            if address.startswith(begun) and address != begun:
                yield Candidate(address, len(begun))

    def _markup(self, text: str) -> Iterator[Candidate]:
        tag_start = text.rfind("<")
        if tag_start < 0 or _inside_text(text[tag_start:]):
            return
        outer, tag = _open(text[:tag_start]), text[tag_start:]
        if tag.startswith("</"):
            if outer and outer[-1][0].startswith(tag[2:]):
                yield Candidate(f"</{outer[-1][0]}>", len(tag))
        elif found := re.fullmatch(r"<([^\s]*)", tag):
            yield from self._elements(found[1], outer)
        elif found := re.search(r"""\s(xmlns|to|from)=(['"])([^'"]*)$""", tag):
            name = tag[1:].split(maxsplit=1)[0]
            if found[1] == "xmlns":
                yield from (
                    Candidate(one.NS, len(found[3])) for one in self._named(name) if one.NS.startswith(found[3])
                )
            else:
                yield from self._starting(found[3])
        elif not _QUOTE.search(bare := _unquoted(tag)) and (found := re.search(r"\s([\w:]*)$", bare)):
            yield from self._attributes(tag, found[1], outer)

    def _elements(self, begun: str, outer: list[tuple[str, str]]) -> Iterator[Candidate]:
        if not outer:
            for name in _OWN:
                if name.startswith(begun):
                    yield Candidate(name, len(begun), "stanza")
            return
        parent, ns = outer[-1]
        for name in _OWN.get(parent, ()) if ns == CLIENT else ():
            if name.startswith(begun):
                yield Candidate(name, len(begun))
        for payload in self._payloads:
            if payload.NAME.startswith(begun):
                declared = "" if ns == payload.NS else f" xmlns='{payload.NS}'"
                yield Candidate(payload.NAME + declared, len(begun), (payload.__doc__ or "").strip().split("\n")[0])

    def _named(self, name: str) -> Iterator[type[Payload]]:
        return (payload for payload in self._payloads if name == payload.NAME)

    def _attributes(self, tag: str, begun: str, outer: list[tuple[str, str]]) -> Iterator[Candidate]:
        name = tag[1:].split(maxsplit=1)[0]
        there = set(re.findall(r"\s([\w:]+)=", tag))
        declared = _XMLNS.search(tag)
        ns = declared[2] if declared else outer[-1][1] if outer else CLIENT
        names: list[str] = [] if outer else list(_ATTRIBUTES)
        for payload in self._named(name) if outer else ():
            if not declared and ns != payload.NS:
                names.append("xmlns")
            if ns == payload.NS:
                names += [one for one in attributes_of(payload) if "}" not in one]
        for candidate in dict.fromkeys(names):
            if candidate.startswith(begun) and candidate not in there:
                yield Candidate(f"{candidate}='", len(begun))


def _inside_text(after: str) -> bool:
    """Whether a tag that has begun is over: the text after its end is nobody's to complete."""
    return ">" in _unquoted(after)


def _unquoted(tag: str) -> str:
    """A tag without the values that are whole."""
    return _VALUES.sub("", tag)


def _open(text: str) -> list[tuple[str, str]]:
    """The elements that are open at the end of a text: name and namespace, the outermost first."""
    stack: list[tuple[str, str]] = []
    for end, name, inside, empty in _TAG.findall(text):
        if end:
            if stack:
                stack.pop()
        elif not empty:
            declared = _XMLNS.search(inside)
            stack.append((name, declared[2] if declared else stack[-1][1] if stack else CLIENT))
    return stack
