"""Documents of XEP-0227, read bit by bit, with those that they include (XInclude, as far as the XEP asks for it).

A document may be anybody's. It can't name files outside its own folder; document types, and so entities, are refused;
an element of an account can't be larger nor deeper than a bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

from chirrup.cli.transfer.events import Child, Event, HostBegins, Place, Problem, Unreadable, UserBegins, UserEnds
from chirrup.core.xml import CLIENT, CONTENT_NAMESPACES, Element
from chirrup.server.transfer import NS, Name

XINCLUDE: Final = "http://www.w3.org/2001/XInclude"
_CHUNK: Final = 65_536
_MOST_ELEMENT: Final = 64 * 1024 * 1024
"""Octets of one child of an account: of a message, a vCard, or all items of a node."""
_MOST_ELEMENTS: Final = 1_000_000
"""Elements in such a child: each takes about 300 octets of memory."""
_MOST_TAG: Final = 1024 * 1024
"""Octets of one tag or comment. One that doesn't end is looked at from its beginning with all that is read of it."""
_DEEPEST: Final = 200
_MOST_INCLUDES: Final = 3
"""How deep documents may include others: there are hosts, users, and parts of users."""

_ROOT, _HOST, _USER, _PART = range(4)
_EXPECTED: Final = {_ROOT: "server-data", _HOST: "host", _USER: "user"}


class Documents:
    """Reads one document and those that it includes."""

    def __init__(self, file: Path, opens: Collection[Name]) -> None:
        """`opens` are the children of accounts whose own children are given one at a time."""
        self._file = file
        self._folder = file.resolve().parent
        self._opens = opens

    def __iter__(self) -> Iterator[Event]:
        return self._read(self._file, _ROOT, ())

    def _read(self, file: Path, level: int, through: tuple[Path, ...]) -> Iterator[Event]:
        """The events of a document whose first element stands at that level of the whole."""
        document, through = _Document(file, level, self._opens), (*through, file.resolve())
        with _opened(file) as source:
            last = False
            while not last:
                data = source.read(_CHUNK)
                last = not data
                fault = document.feed(data, last=last)
                yield from self._included(document.take(), file, through)  # what came before a fault is whole
                if fault is not None:
                    raise fault

    def _included(self, events: list[Event | _Include], file: Path, through: tuple[Path, ...]) -> Iterator[Event]:
        for event in events:
            if not isinstance(event, _Include):
                yield event
                continue
            target = self._target(event, file, through)
            if isinstance(target, Problem):
                yield target
                continue
            try:
                yield from self._read(target, event.level, through)
            except Unreadable as error:  # what includes it can still be read
                yield Problem(error.place, error.text)

    def _target(self, include: _Include, file: Path, through: tuple[Path, ...]) -> Path | Problem:
        """The file that is included; a Problem where it mustn't be."""
        href = include.href
        if include.others or not href:
            return Problem(include.place, "only whole XML documents can be included, by href")
        parts = urlsplit(href)
        if parts.scheme or parts.netloc or parts.query or parts.fragment or parts.path.startswith("/"):
            return Problem(include.place, f"{href!r} can't be included: it is no relative path")
        if "\0" in (path := unquote(parts.path)):
            return Problem(include.place, f"{href!r} can't be included: it is no path")
        target = (file.parent / path).resolve()
        if not target.is_relative_to(self._folder):
            return Problem(include.place, f"{href!r} can't be included: it is outside of {self._folder}")
        if target in through or len(through) > _MOST_INCLUDES:
            return Problem(include.place, f"{href!r} can't be included: it is included already")
        if not target.is_file():
            return Problem(include.place, f"{href!r} can't be included: there is no such file")
        return target


class _Include:
    """An include element; `level` is where what it includes stands."""

    __slots__ = ("href", "level", "others", "place")

    def __init__(self, place: Place, attributes: dict[str, str], level: int) -> None:
        self.place = place
        self.href = attributes.get("href", "")
        self.others = "xpointer" in attributes or attributes.get("parse", "xml") != "xml"
        self.level = level


class _Document:
    """One document: expat's events, made into ours."""

    def __init__(self, file: Path, level: int, opens: Collection[Name]) -> None:
        self._file = file
        self._opens = opens
        self._level = level  # of the element that comes next
        self._begun = level
        self._within: Name | None = None
        self._building: list[Element] = []
        self._began = 0  # the octet at which the element that is being built began
        self._elements = 0  # how many there are in it
        self._fed = 0  # octets
        self._skipped = 0  # how deep it is in an element that means nothing
        self._place = Place(str(file))
        self._any = False
        self._events: list[Event | _Include] = []
        parser = self._parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.ordered_attributes = False
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        if hasattr(parser, "SetReparseDeferralEnabled"):
            parser.SetReparseDeferralEnabled(True)

    def feed(self, data: bytes, *, last: bool) -> Unreadable | None:
        """Read some more; what is wrong, where it can't be read any further."""
        self._fed += len(data)
        try:
            self._parser.Parse(data, last)
        except Unreadable as fault:
            return fault
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            if what == expat.errors.XML_ERROR_NO_ELEMENTS:
                what = "it ends too early" if self._any else "it is empty"
            return Unreadable(Place(str(self._file), error.lineno), f"it is no XML: {what}")
        if self._building and self._parser.CurrentByteIndex - self._began > _MOST_ELEMENT:
            return Unreadable(self._place, f"an element has more than {_MOST_ELEMENT} octets")
        if self._fed - self._parser.CurrentByteIndex > _MOST_TAG:
            return Unreadable(self._here(), f"a tag or comment has more than {_MOST_TAG} octets")
        return None

    def take(self) -> list[Event | _Include]:
        """What was read since."""
        events, self._events = self._events, []
        return events

    def _here(self) -> Place:
        return Place(str(self._file), self._parser.CurrentLineNumber)

    def _refuse_doctype(self, *_: object) -> None:
        raise Unreadable(self._here(), "document types and entities are refused")

    # -- elements

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        ns, _, name = qualified.rpartition("}")
        self._any = True
        if self._building:
            self._nest(name, ns, attributes)
        elif self._skipped:
            self._skipped += 1
        elif (ns, name) == (XINCLUDE, "include"):
            self._skipped = 1
            if self._level == _ROOT or self._within is not None:
                self._events.append(Problem(self._here(), "nothing can be included here"))
            else:
                self._events.append(_Include(self._here(), attributes, self._level))
        elif self._level == _PART:
            if (name, ns) in self._opens and self._within is None:
                self._within = name, ns
            else:
                self._place, self._began, self._elements = self._here(), self._parser.CurrentByteIndex, 1
                self._building.append(_element(name, ns, attributes))
        else:
            self._descend(name, ns, attributes)

    def _nest(self, name: str, ns: str, attributes: dict[str, str]) -> None:
        if len(self._building) >= _DEEPEST:
            raise Unreadable(self._here(), f"elements are nested more than {_DEEPEST} deep")
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise Unreadable(self._place, f"an element has more than {_MOST_ELEMENTS} others in it")
        element = _element(name, ns, attributes)
        self._building[-1].children.append(element)
        self._building.append(element)

    def _descend(self, name: str, ns: str, attributes: dict[str, str]) -> None:
        """Into the data, a host or a user; past everything else."""
        expected = _EXPECTED[self._level]
        if ns == NS and name == "host" and self._level == self._begun == _ROOT:
            self._level = self._begun = _HOST  # a document of one host
            expected = "host"
        if (ns, name) != (NS, expected):
            if self._level == self._begun:
                raise Unreadable(self._here(), f"it begins with <{name} xmlns='{ns}'>, not <{expected} xmlns='{NS}'>")
            self._events.append(Problem(self._here(), f"<{name} xmlns='{ns}'/> is unknown here, and left out"))
            self._skipped = 1
            return
        if self._level == _HOST:
            self._events.append(HostBegins(self._here(), attributes.get("jid", "")))
        elif self._level == _USER:
            self._events.append(UserBegins(self._here(), attributes.get("name", ""), attributes.get("password")))
        self._level += 1

    def _end(self, qualified: str) -> None:
        if self._building:
            element = self._building.pop()
            if not self._building:
                self._events.append(Child(self._place, element, self._within))
        elif self._skipped:
            self._skipped -= 1
        elif self._within is not None:
            self._within = None
        else:
            self._level -= 1
            if self._level == _USER:
                self._events.append(UserEnds())

    def _text(self, data: str) -> None:
        if self._building:
            self._building[-1].children.append(data)


def _element(name: str, ns: str, attributes: dict[str, str]) -> Element:
    element = Element(name, CLIENT if ns in CONTENT_NAMESPACES else ns)
    element.attrs = attributes
    return element


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    try:
        with file.open("rb") as source:
            yield source
    except OSError as error:
        raise Unreadable(Place(str(file)), error.strerror or str(error)) from None
