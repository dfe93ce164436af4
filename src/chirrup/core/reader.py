"""The reader in Python: one expat parser, and the elements that its events become.

`StreamParser` gives it pieces that end with ">" and replaces it when it has collected too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from chirrup.core.refusals import (
    COMMENT,
    DOCTYPE,
    INSTRUCTION,
    Limits,
    check_declaration,
    malformed,
    not_utf8,
    restricted,
    stray_text,
    too_big,
    too_deep,
    too_many_attributes,
    too_many_elements,
)
from chirrup.core.xml import CLIENT, CONTENT_NAMESPACES, Element, Received

_MAX_NAMES: Final = 2_000
_MAX_FED: Final = 1_048_576
"""Distinct names of elements and attributes, or octets, after which a reader is full: expat never forgets a name, nor
a prefix, which it doesn't count either."""

_FEW: Final = 3
"""So few elements are written one by one as quickly as copied."""
_USUAL_PREFIXES: Final = frozenset({"", "stream"})
_TEXT_BUFFER: Final = 2_048
"""Octets in which expat joins pieces of text. Each reader has as many, also while its stream is idle."""

_OPENING: Final = re.compile(rb"<([^\0\s/>]+)[\s/>]")
_START_TAG: Final = re.compile(rb"""<[^\s/>:'"]++[^'">]*+(?:'[^']*+'[^'">]*+|"[^"]*+"[^'">]*+)*+>""")
"""One whose name has no prefix."""


class Reader:
    """Reads a stream from its header to its end, or from the middle, where it was opened before another reader.

    `read()` puts first-level elements that are now whole into `ready`, from where they are to be taken.
    All positions are octets since this reader began.
    """

    def __init__(self, limits: Limits, prefixes: dict[str, str], opening: bytes = b"") -> None:
        """`prefixes` gets the namespaces that the header declares. It has them already where the stream is open;
        then `opening` is a start tag that says the same as the header."""
        self.limits = limits
        self.prefixes = prefixes
        self.header: Element | None = None
        self.name = b""
        """The stream element's name as the peer writes it, prefix and all."""
        self.ready: list[Element] = []
        self.ended = False
        self.open = False
        """Whether it stands inside a first-level element."""
        self.start = 0
        """Where that begins, or what else is being read."""
        self.fed = 0
        """How much it was given."""
        self._data = b""  # what expat is reading
        self._base = 0  # how much it was given before
        self._reopened = bool(opening)
        self._expat = self._make_expat(reopened=self._reopened)
        if opening:
            self.read(opening)
            self.start = self.fed

    @property
    def position(self) -> int:
        """Up to where everything is read."""
        return self._expat.CurrentByteIndex

    @property
    def full(self) -> bool:
        """Whether it has collected so much that it should be replaced."""
        return len(self._expat.intern) > _MAX_NAMES or self.fed > _MAX_FED

    def read(self, data: bytes) -> None:
        """Read a piece; raises StreamError."""
        self._data, self._base = data, self.fed
        self.fed += len(data)
        try:
            self._expat.Parse(data, False)
        except expat.ExpatError as error:
            raise malformed(error.code, data, headless=not (self.name or self._reopened)) from None
        finally:
            self._data = b""

    def discard(self) -> None:
        """Nothing more is to be read: expat's memory is freed at once. Otherwise it waits for the garbage collector, as
        expat and its handlers know each other."""
        old = self._expat
        old.StartElementHandler = old.EndElementHandler = old.CharacterDataHandler = None
        old.StartNamespaceDeclHandler = None

    def _make_expat(self, *, reopened: bool) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8", "}")
        parser.buffer_size = _TEXT_BUFFER
        parser.buffer_text = True
        if not reopened:
            parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._handlers(
            parser, reopened
        )
        parser.XmlDeclHandler = _declaration
        parser.StartDoctypeDeclHandler = _refuse(DOCTYPE)
        parser.CommentHandler = _refuse(COMMENT)
        parser.ProcessingInstructionHandler = _refuse(INSTRUCTION)
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)
        return parser

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self.prefixes[prefix or ""] = uri or ""

    def _begin(self, header: Element) -> None:
        """The stream's start tag."""
        opening = _OPENING.match(self._expat.GetInputContext() or b"")
        if opening is None:
            raise not_utf8()  # expat reads UTF-16 too, whatever it was told
        self.header, self.name = header, opening[1]
        self._expat.StartNamespaceDeclHandler = None

    def _handlers(self, parser: expat.XMLParserType, reopened: bool) -> tuple[_StartHandler, _EndHandler, _TextHandler]:
        """The three functions that run for each tag and text; closures, since a cell is cheaper than an attribute."""
        new = Element.__new__
        limits = self.limits
        max_attributes, max_depth, max_elements = limits.attributes, limits.depth, limits.elements
        content_ns = self._content_ns()
        known = _NAMES[content_ns].get
        stack: list[Element] = []
        current: Element | None = None
        elements = 0
        few = max_elements  # stanzas of more elements keep their octets; which, the header says
        outside = True  # the stream's own start tag is still to come

        def start(tag: str, attrs: dict[str, str]) -> None:
            nonlocal content_ns, current, elements, few, known, outside
            element = new(Element)
            element.name, element.ns = known(tag) or _split(tag, content_ns)
            element.attrs = attrs
            element.children = []
            elements += 1
            if len(attrs) > max_attributes:
                raise too_many_attributes(limits)
            if current is not None:
                stack.append(current)
                if len(stack) >= max_depth:
                    raise too_deep(limits)
                if elements > max_elements:
                    raise too_many_elements(limits)
                current.children.append(element)
            elif outside:
                outside = False
                if not reopened:
                    self._begin(element)
                    content_ns = self._content_ns()
                    known = _NAMES[content_ns].get
                if self.prefixes.get("") == CLIENT and self.prefixes.keys() <= _USUAL_PREFIXES:
                    few = _FEW
                return
            else:
                elements = 1
                self.open = True
                self.start = parser.CurrentByteIndex
            current = element

        def end(_tag: str) -> None:
            nonlocal current
            if stack:
                current = stack.pop()
            elif current is not None:
                at = parser.CurrentByteIndex
                if at - self.start > limits.stanza_bytes:
                    raise too_big(limits)
                if elements > few and self.start >= self._base:
                    current = _kept(current, self._data[self.start - self._base : at - self._base])
                self.ready.append(current)
                self.open = False
                current = None
            else:
                self.ended = True

        def text(data: str) -> None:
            if current is None:
                if data.strip(" \t\r\n"):
                    raise stray_text()
                return
            children = current.children
            if children and type(last := children[-1]) is str:
                children[-1] = last + data
            else:
                children.append(data)

        return start, end, text

    def _content_ns(self) -> str:
        """The namespace that is read as `jabber:client`: the stream's default, if it is one of those for stanzas."""
        default = self.prefixes.get("", "")
        return default if default in CONTENT_NAMESPACES else CLIENT


_StartHandler = Callable[[str, dict[str, str]], None]
_EndHandler = Callable[[str], None]
_TextHandler = Callable[[str], None]


def _kept(element: Element, octets: bytes) -> Element:
    """The element with the octets inside it, where its start tag declares nothing that they could use."""
    tag = _START_TAG.match(octets)
    if tag is None or octets.find(b"xmlns", 0, tag.end()) >= 0 or octets.find(b"stream:") >= 0:
        return element
    return Received(element, octets[tag.end() :])


_MAX_KNOWN: Final = 4_096
_NAMES: Final[dict[str, dict[str, tuple[str, str]]]] = {ns: {} for ns in CONTENT_NAMESPACES}
"""Names as expat reports them and as (name, namespace), for each content namespace; bounded."""


def _split(tag: str, content_ns: str) -> tuple[str, str]:
    ns, _, name = tag.rpartition("}")
    pair = (name, CLIENT if ns == content_ns else ns)
    known = _NAMES[content_ns]
    if len(known) < _MAX_KNOWN and len(tag) < 200:
        known[tag] = pair
    return pair


def _declaration(version: str | None, encoding: str | None, _standalone: int) -> None:
    check_declaration(version, encoding)


def _refuse(what: str) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise restricted(what)

    return refuse
