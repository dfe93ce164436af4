"""The kinds of field that a payload declares, and how each is compiled into functions.

To be imported from `core.payload`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin, overload

from chirrup.core.errors import PayloadError
from chirrup.core.record import record
from chirrup.core.values import ELEMENT, Json, codec_for
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.core.payload import Payload

P = TypeVar("P", bound="Payload")

SPECIFIER: Final = "chirrup.payload"
"""The key in a dataclass field's metadata of the function that compiles it: from a `Place` to a `Field`."""


# -- declaring


def attribute(key: str | None = None, *, default: Any = MISSING) -> Any:
    """An attribute, by default that of the field's own name."""
    return _declare(lambda at: _attribute(at, key or at.key), default)


def text(*, default: Any = MISSING) -> Any:
    """The element's own character data. No text at all is an empty one, or the default if there is one."""
    return _declare(_text, default)


def child_text(name: str, ns: str | None = None, *, default: Any = MISSING) -> Any:
    """The character data of a child element."""
    return _declare(lambda at: _child_text(at, name, ns or at.ns), default)


def child_texts(name: str, ns: str | None = None) -> Any:
    """The character data of each child element of that name; the type is `tuple[X, ...]`."""
    return _declare(lambda at: _child_texts(at, name, ns or at.ns), ())


def flag(name: str, ns: str | None = None) -> bool:
    """Whether there is a child element of that name, which is empty."""
    made: bool = _declare(lambda at: _flag(at, name, ns or at.ns), False)
    return made


@overload
def child(cls: type[P]) -> P: ...
@overload
def child(cls: type[P], *, default: None) -> P | None: ...
def child(cls: type[P], *, default: Any = MISSING) -> Any:
    """A child element, parsed by its own class."""
    return _declare(lambda at: _child(at, cls), default)


def children(cls: type[P]) -> tuple[P, ...]:
    """All child elements of that class."""
    made: tuple[P, ...] = _declare(lambda at: _children(at, cls), ())
    return made


def rest() -> tuple[Element, ...]:
    """The child elements that no other field asks for, in JSON as XML text."""
    made: tuple[Element, ...] = _declare(_rest, ())
    return made


def _declare(compile_: Callable[[Place], Field], default: Any) -> Any:
    return field(default=default, metadata={SPECIFIER: compile_})


# -- compiling


@dataclass(slots=True)
class Place:
    """Where a field is declared: the element's name and namespace, the field's name, type and default."""

    owner: str
    ns: str
    name: str
    type: Any
    default: Any
    claimed: set[tuple[str, str]]
    """The names and namespaces of the child elements that a field of this class asks for; all fields share it."""

    @property
    def key(self) -> str:
        return self.name.rstrip("_")

    def claim(self, name: str, ns: str) -> None:
        self.claimed.add((name, ns))

    @property
    def items(self) -> Any:
        """X of the type `tuple[X, ...]`."""
        if get_origin(self.type) is not tuple or get_args(self.type)[1:] != (...,):
            raise TypeError("the type of a field of many is tuple[X, ...]")
        return get_args(self.type)[0]

    def field(
        self,
        read: Callable[[Element], Any],
        write: Callable[[Element, Any], object],
        to_json: Callable[[Any], Json],
        from_json: Callable[[Json], Any],
    ) -> Field:
        return Field(self.name, self.key, self.default, read, write, to_json, from_json)


@record
class Field:
    """A field, compiled: four small functions."""

    name: str
    key: str
    default: Any
    read: Callable[[Element], Any]
    write: Callable[[Element, Any], object]
    to_json: Callable[[Any], Json]
    from_json: Callable[[Json], Any]
    attribute: str = ""
    """The name of the attribute that it is, if it is one."""


def _one(at: Place, what: str, find: Callable[[Element], str | None], put: Callable[[Element, str], object]) -> Field:
    """A single text, which `find` takes out of an element, if it is there, and `put` puts into one."""
    codec = codec_for(at.type)
    decode, encode, default = codec.decode, codec.encode, at.default

    def read(element: Element) -> Any:
        found = find(element)
        if found is not None:
            try:
                return decode(found)
            except ValueError as error:
                raise PayloadError(f"{what} of <{at.owner}/> is wrong: {error}") from None
        if default is MISSING:
            raise PayloadError(f"<{at.owner}/> lacks {what}")
        return default

    return at.field(read, lambda element, value: put(element, encode(value)), codec.to_json, codec.from_json)


def _attribute(at: Place, key: str) -> Field:
    def put(element: Element, text: str) -> None:
        element.attrs[key] = text

    found = _one(at, f"the attribute {key.rpartition('}')[2]!r}", lambda element: element.attrs.get(key), put)
    return replace(found, attribute=key)


def _text(at: Place) -> Field:
    needed = at.default is MISSING
    return _one(
        at,
        "the text",
        lambda element: element.text if needed else element.text or None,
        lambda element, text: element.t(text) if text else None,
    )


def _child_text(at: Place, name: str, ns: str) -> Field:
    def find(element: Element) -> str | None:
        found = element.child(name, ns)
        return None if found is None else found.text

    at.claim(name, ns)
    return _one(at, f"the child <{name}/>", find, lambda element, text: element.c(name, ns, text or None))


def _flag(at: Place, name: str, ns: str) -> Field:
    if at.type is not bool:
        raise TypeError("the type of a flag is bool")
    at.claim(name, ns)
    codec = codec_for(bool)
    return at.field(
        lambda element: element.child(name, ns) is not None,
        lambda element, _true: element.c(name, ns),
        codec.to_json,
        codec.from_json,
    )


def _child(at: Place, cls: type[Payload]) -> Field:
    name, ns, default = cls.NAME, cls.NS, at.default

    def read(element: Element) -> Any:
        found = element.child(name, ns)
        if found is not None:
            return cls.parse(found)
        if default is MISSING:
            raise PayloadError(f"<{at.owner}/> lacks the child <{name}/>")
        return default

    at.claim(name, ns)
    return at.field(
        read,
        lambda element, value: element.append(value.to_element()),
        lambda value: value.to_json(),
        cls.from_json,
    )


def _many(
    at: Place,
    read: Callable[[Element], Any],
    write: Callable[[Element, Any], object],
    to_json: Callable[[Any], Json],
    from_json: Callable[[Json], Any],
) -> Field:
    """A tuple of what the four functions do for one; `read` does all."""

    def write_all(element: Element, values: tuple[Any, ...]) -> None:
        for value in values:
            write(element, value)

    def all_from_json(json: Json) -> Any:
        if not isinstance(json, list):
            raise ValueError("a list is wanted")
        return tuple([from_json(value) for value in json])

    return at.field(read, write_all, lambda values: [to_json(value) for value in values], all_from_json)


def _child_texts(at: Place, name: str, ns: str) -> Field:
    codec = codec_for(at.items)
    decode, encode = codec.decode, codec.encode

    def read(element: Element) -> tuple[Any, ...]:
        try:
            return tuple([decode(found.text) for found in element.elements(name, ns)])
        except ValueError as error:
            raise PayloadError(f"a child <{name}/> of <{at.owner}/> is wrong: {error}") from None

    at.claim(name, ns)
    return _many(
        at, read, lambda element, value: element.c(name, ns, encode(value) or None), codec.to_json, codec.from_json
    )


def _children(at: Place, cls: type[Payload]) -> Field:
    name, ns, parse = cls.NAME, cls.NS, cls.parse
    at.claim(name, ns)
    return _many(
        at,
        lambda element: tuple([parse(found) for found in element.elements(name, ns)]),
        lambda element, value: element.append(value.to_element()),
        lambda value: value.to_json(),
        cls.from_json,
    )


def _rest(at: Place) -> Field:
    claimed = at.claimed
    return _many(
        at,
        lambda element: tuple([found for found in element.elements() if (found.name, found.ns) not in claimed]),
        lambda element, value: element.append(value),
        ELEMENT.to_json,
        ELEMENT.from_json,
    )
