"""The push parser: bytes in, one `Element` for each first-level child of the stream out.

Everything that RFC 6120 §11 forbids, and everything over a limit, is a `StreamError` that names the condition to
send. After an error the parser takes nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from chirrup.core.errors import StreamError
from chirrup.core.xml import CLIENT, Element, Received, escape_attribute

CONTENT_NAMESPACES: Final = frozenset({CLIENT, "jabber:server", "jabber:component:accept"})

_MAX_NAMES: Final = 2_000
_MAX_FED: Final = 1_048_576
"""Distinct names of elements and attributes, or octets, after which expat is replaced: it never forgets a name, nor a
prefix, which it doesn't count either."""

_FEW: Final = 3
"""So few elements are written one by one as quickly as copied."""
_USUAL_PREFIXES: Final = frozenset({"", "stream"})
_TEXT_BUFFER: Final = 2_048
"""Octets in which expat joins pieces of text. Each parser has as many, also while its stream is idle."""

_WHITE: Final = b" \t\r\n"
_TLS_HANDSHAKE: Final = b"\x16"
"""The first octet of a client that begins with TLS (RFC 8446 §5.1)."""
_OPENING: Final = re.compile(rb"<([^\0\s/>]+)[\s/>]")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a parser accepts; RFC 6120 §13.12."""

    stanza_bytes: int = 262_144
    """Octets of one first-level element, and of the stream header."""
    depth: int = 64
    """Levels of elements inside the stream element."""
    attributes: int = 64
    """Attributes of one element."""
    elements: int = 5_000
    """Elements in one stanza, at all levels."""


class StreamParser:
    """Parses one XML stream, from header to closing tag.

    `feed()` returns the first-level elements that are now whole. `header` is the stream element, without its
    children, once its start tag was seen, and `prefixes` are the namespaces it declared; `ended` turns true at
    its end tag, after which everything is ignored.
    """

    def __init__(self, limits: Limits) -> None:
        self.header: Element | None = None
        self.prefixes: dict[str, str] = {}
        self.ended = False
        self.limits = limits
        self._held = b""  # what follows the last ">": it can't complete anything yet
        self._fed = 0  # octets given to this expat parser
        self._start = 0  # octet at which what is being read began
        self._open = False  # inside a first-level element
        self._data = b""  # what expat is reading
        self._base = 0  # octets that it was given before
        self.ready: list[Element] = []
        """First-level elements that are whole and were not returned, because a fault came behind them."""
        self._content_ns = CLIENT
        self._opening = b""  # the stream element's name as the peer writes it, prefix and all
        self._error: StreamError | None = None
        self._expat = self._make_expat()

    @property
    def idle(self) -> bool:
        """Whether the parser stands between two first-level elements with nothing half read."""
        return not self._held and self._between

    @property
    def _between(self) -> bool:
        return not self._open and (self._rests or self._expat.CurrentByteIndex == self._fed)

    @property
    def _rests(self) -> bool:
        """Whether there is no expat, after `rest`."""
        return not self._fed and self.header is not None

    def feed(self, data: bytes) -> list[Element]:
        """Take octets from the peer; raises StreamError, at once and at every later call.

        What was whole before the fault is left in `ready`."""
        if self._error is not None:
            raise self._error
        if self.ended:
            return []
        if self._held or not data.endswith(b">"):
            data = self._hold(data)
        try:
            if not self._fed and self._is_blank(data):
                return []
            self._data, self._base = data, self._fed
            self._fed += len(data)
            self._expat.Parse(data, False)
            self._data = b""
            if self._held and self.header is not None and self._between:
                self._held = self._held.lstrip(_WHITE)
            if self._fed - self._start + len(self._held) > self.limits.stanza_bytes:
                self._check_size()
        except (expat.ExpatError, StreamError) as error:
            if not self.ended:
                self._error = error if isinstance(error, StreamError) else self._malformed(error, data)
                raise self._error from None
        ready = self.ready
        if ready:
            self.ready = []
            if (len(self._expat.intern) > _MAX_NAMES or self._fed > _MAX_FED) and not self.ended:
                self._renew(data)
        return ready

    def _hold(self, data: bytes) -> bytes:
        """Keep back what comes after the last ">". Expat would scan an unfinished tag again for each piece, which
        a peer that sends single octets could make quadratic."""
        data = self._held + data
        end = data.rfind(b">") + 1
        self._held = data[end:]
        return data[:end]

    def _is_blank(self, data: bytes) -> bool:
        """Before expat's first octets: whether it needn't see them, being white space for a parser that rests."""
        if self.header is None:
            self._check_first(data or self._held)
            return False
        if not data:
            self._held = self._held.lstrip(_WHITE)
            if not self._held:
                return True
        self._begin_again()
        return False

    def _check_first(self, data: bytes) -> None:
        """Expat would wait for more after a quotation mark, for one."""
        first = data.lstrip(_WHITE)[:1]
        if first not in (b"", b"<", b"\xef"):
            if first in b"\0\xfe\xff":
                raise _not_utf8()
            text = "an XML stream begins with a tag"
            if first == _TLS_HANDSHAKE:
                text += "; this is TLS, which has a port of its own where it comes first"
            raise StreamError("not-well-formed", text)

    def _check_size(self) -> None:
        if not self._open and self.header is not None:
            self._start = self._expat.CurrentByteIndex  # what came before is complete and was within the limit
        if self._fed - self._start + len(self._held) > self.limits.stanza_bytes:
            raise self._too_big()

    def _too_big(self) -> StreamError:
        return StreamError(
            "policy-violation",
            f"a stanza may have {self.limits.stanza_bytes} octets at most",
            app="{urn:xmpp:errors}stanza-too-big",
        )

    def _malformed(self, error: expat.ExpatError, data: bytes) -> StreamError:
        try:
            data.decode()  # a piece begins and ends at markup, so never in the middle of a character
        except UnicodeDecodeError:
            return _not_utf8()
        if self.header is None and b"\0" in data:
            return _not_utf8()
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
            return StreamError("restricted-xml", "only the five predefined entities may be used")
        return StreamError("not-well-formed", expat.ErrorString(error.code) or "bad XML")

    def _renew(self, data: bytes) -> None:
        """Replace expat by a new one that knows the same prefixes, to free the names that it collected.

        It reads again what it was given in `data`, in which an element ended, of the element that now is open."""
        begun = self._start if self._open else self._expat.CurrentByteIndex
        unfinished = data[len(data) - (self._fed - begun) :] if begun < self._fed else b""
        self.discard()
        self._open = False
        self._begin_again()
        self._fed += len(unfinished)
        self._expat.Parse(unfinished, False)

    def _begin_again(self) -> None:
        """A new expat inside the same stream."""
        opening = self.opening
        self._expat = self._make_expat()
        self._fed = self._start = len(opening)
        self._expat.Parse(opening, False)

    @property
    def opening(self) -> bytes:
        """A start tag that means to stanzas what the stream's own does: its name and the namespaces it declares."""
        declared = "".join(
            f" xmlns{prefix and f':{prefix}'}='{escape_attribute(uri)}'" for prefix, uri in self.prefixes.items()
        )
        return b"<%b%b>" % (self._opening, declared.encode())

    def rest(self) -> bool:
        """Let go of expat, which is 13 KiB, until more comes in. Says whether it could: only between two stanzas of an
        open stream."""
        if self._rests:
            return True
        if self.header is None or self.ended or self._error is not None or not self.idle:
            return False
        self.discard()
        del self._expat
        self._fed = self._start = 0
        return True

    def discard(self) -> None:
        """Nothing more is to be parsed: expat's memory is freed at once. Otherwise it waits for the garbage collector,
        as expat and its handlers know each other."""
        if self._rests:
            return
        old = self._expat
        old.StartElementHandler = old.EndElementHandler = old.CharacterDataHandler = None
        old.StartNamespaceDeclHandler = None

    def _make_expat(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("UTF-8", "}")
        parser.buffer_size = _TEXT_BUFFER
        parser.buffer_text = True
        if self.header is None:
            parser.StartNamespaceDeclHandler = self._declare
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._handlers(parser)
        parser.XmlDeclHandler = _declaration
        parser.StartDoctypeDeclHandler = _refuse("a document type declaration")
        parser.CommentHandler = _refuse("a comment")
        parser.ProcessingInstructionHandler = _refuse("a processing instruction")
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(False)
        return parser

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self.prefixes[prefix or ""] = uri or ""

    def _begin(self, header: Element) -> None:
        """The stream's start tag: from now on its content namespace reads as `jabber:client`."""
        opening = _OPENING.match(self._expat.GetInputContext() or b"")
        if opening is None:
            raise _not_utf8()  # expat reads UTF-16 too, whatever it was told
        self.header = header
        self._opening = opening[1]
        self._expat.StartNamespaceDeclHandler = None
        default = self.prefixes.get("", "")
        if default in CONTENT_NAMESPACES:
            self._content_ns = default

    def _handlers(self, parser: expat.XMLParserType) -> tuple[_StartHandler, _EndHandler, _TextHandler]:
        """The three functions that run for each tag and text; closures, since a cell is cheaper than an attribute."""
        new = Element.__new__
        known = _NAMES[self._content_ns].get
        max_attributes, max_depth = self.limits.attributes, self.limits.depth
        max_elements, max_bytes = self.limits.elements, self.limits.stanza_bytes
        stack: list[Element] = []
        current: Element | None = None
        elements = 0
        few = max_elements  # stanzas of more elements keep their octets; which, the header says
        outside = True  # the stream's own start tag is still to come

        def start(tag: str, attrs: dict[str, str]) -> None:
            nonlocal current, elements, few, known, outside
            element = new(Element)
            element.name, element.ns = known(tag) or _split(tag, self._content_ns)
            element.attrs = attrs
            element.children = []
            elements += 1
            if len(attrs) > max_attributes:
                raise StreamError("policy-violation", f"an element may have {max_attributes} attributes at most")
            if current is not None:
                stack.append(current)
                if len(stack) >= max_depth:
                    raise StreamError("policy-violation", f"elements may be nested {max_depth} deep at most")
                if elements > max_elements:
                    raise StreamError("policy-violation", f"a stanza may have {max_elements} elements at most")
                current.children.append(element)
            elif outside:
                outside = False
                if self.header is None:
                    self._begin(element)
                    known = _NAMES[self._content_ns].get
                if self.prefixes.get("") == CLIENT and self.prefixes.keys() <= _USUAL_PREFIXES:
                    few = _FEW
                return
            else:
                elements = 1
                self._open = True
                self._start = parser.CurrentByteIndex
            current = element

        def end(_tag: str) -> None:
            nonlocal current
            if stack:
                current = stack.pop()
            elif current is not None:
                at = parser.CurrentByteIndex
                if at - self._start > max_bytes:
                    raise self._too_big()
                if elements > few and self._start >= self._base:
                    current = Received(current, self._data[self._start - self._base : at - self._base])
                self.ready.append(current)
                self._open = False
                current = None
            else:
                self.ended = True

        def text(data: str) -> None:
            if current is None:
                if data.strip(" \t\r\n"):
                    raise StreamError("bad-format", "only white space may stand between stanzas")
                return
            children = current.children
            if children and type(last := children[-1]) is str:
                children[-1] = last + data
            else:
                children.append(data)

        return start, end, text


_StartHandler = Callable[[str, dict[str, str]], None]
_EndHandler = Callable[[str], None]
_TextHandler = Callable[[str], None]

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


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0":
        raise StreamError("not-well-formed", "XMPP is XML 1.0")
    if encoding is not None and encoding.upper() != "UTF-8":
        raise StreamError("unsupported-encoding", f"XMPP is always UTF-8, not {encoding[:40]}")


def _not_utf8() -> StreamError:
    return StreamError("unsupported-encoding", "XMPP is always UTF-8, and this is not")


def _refuse(what: str) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise StreamError("restricted-xml", f"XMPP has no place for {what}")

    return refuse
