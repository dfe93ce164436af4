"""Payloads: the elements inside a stanza as declared classes, to and from XML and JSON.

    @payload("item", ROSTER)
    class Item(Payload):
        jid: JID = attribute()
        name: str | None = attribute(default=None)
        approved: bool = attribute(default=False)
        groups: tuple[str, ...] = child_texts("group")

    item = Item.parse(element)
    Item(JID("juliet@example.com"), groups=("Friends",)).to_element()

A payload class is a frozen dataclass. The type of a field says how its value is written: `core.values` lists the types,
and `X | None` is one that may be left out. A field that equals its default isn't written at all. A `__post_init__` may
check what fields can't say alone; it raises PayloadError.

In JSON a field has its Python name, without a trailing underscore.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, Union, dataclass_transform, get_args, get_origin

from chirrup.core.errors import PayloadError
from chirrup.core.fields import (
    SPECIFIER,
    Field,
    P,
    Place,
    attribute,
    child,
    child_text,
    child_texts,
    children,
    flag,
    rest,
    text,
)
from chirrup.core.record import make_record, types_of
from chirrup.core.values import Json
from chirrup.core.xml import Element

__all__ = [
    "Payload",
    "attribute",
    "attributes_of",
    "child",
    "child_text",
    "child_texts",
    "children",
    "flag",
    "payload",
    "rest",
    "text",
]


class Payload:
    """What every payload class can do; `@payload` gives it its name, namespace and fields."""

    __slots__ = ()

    NAME: ClassVar[str]
    NS: ClassVar[str]
    _fields: ClassVar[tuple[Field, ...]]
    _readers: ClassVar[tuple[Callable[[Element], Any], ...]]
    _writers: ClassVar[tuple[tuple[str, Any, Callable[[Element, Any], object]], ...]]

    @classmethod
    def parse(cls, element: Element) -> Self:
        """The payload that an element is. Raises PayloadError, which names the element and the field.

        What the class declares no field for is ignored, as XMPP asks for; so is all but the first of children that may
        stand there once.
        """
        if element.name != cls.NAME or element.ns != cls.NS:
            raise PayloadError(f"<{element.name} xmlns='{element.ns}'/> is no <{cls.NAME} xmlns='{cls.NS}'/>")
        return cls(*[read(element) for read in cls._readers])

    @classmethod
    def find(cls, parent: Element) -> Self | None:
        """The first payload of this class among the children of an element. Raises PayloadError as `parse` does."""
        element = parent.child(cls.NAME, cls.NS)
        return None if element is None else cls.parse(element)

    def to_element(self) -> Element:
        """A new element; elements that the payload holds become its children as they are."""
        element = Element(self.NAME, self.NS)
        for name, default, write in self._writers:
            value = getattr(self, name)
            if value is not None and value != default:
                write(element, value)
        return element

    def to_json(self) -> dict[str, Json]:
        """A JSON object, without the fields that are `None` or equal their default."""
        json: dict[str, Json] = {}
        for one in self._fields:
            value = getattr(self, one.name)
            if value is not None and value != one.default:
                json[one.key] = one.to_json(value)
        return json

    @classmethod
    def from_json(cls, json: object) -> Self:
        """The payload that a JSON object is. Raises PayloadError, which names the key."""
        if not isinstance(json, dict):
            raise PayloadError(f"{cls.NAME}: an object is wanted, and this is a {type(json).__name__}")
        for key in json:
            if all(key != one.key for one in cls._fields):
                raise PayloadError(f"{cls.NAME} has no key {key!r}")
        return cls(*[_from_json(cls.NAME, one, json.get(one.key)) for one in cls._fields])


def attributes_of(declared: type[Payload]) -> tuple[str, ...]:
    """The names of the attributes that a payload class declares."""
    return tuple(one.attribute for one in declared._fields if one.attribute)


def _from_json(owner: str, one: Field, value: Json) -> Any:
    if value is None:
        if one.default is MISSING:
            raise PayloadError(f"{owner} lacks the key {one.key!r}")
        return one.default
    try:
        return one.from_json(value)
    except ValueError as error:
        raise PayloadError(f"{owner}, key {one.key!r}: {error}") from None


@dataclass_transform(frozen_default=True, field_specifiers=(attribute, text, child_text, child))
def payload(name: str, ns: str) -> Callable[[type[P]], type[P]]:
    """Make a payload class: a frozen dataclass for the elements of that name and namespace.

    (The specifiers left out above always have a default, which a type checker sees only if they aren't listed.)
    """

    def decorate(declared: type[P]) -> type[P]:
        cls = make_record(declared)
        cls.NAME, cls.NS = name, ns
        cls._fields = _compile(cls)
        cls._readers = tuple(one.read for one in cls._fields)
        cls._writers = tuple((one.name, one.default, one.write) for one in cls._fields)
        return cls

    return decorate


def _compile(cls: type[Payload]) -> tuple[Field, ...]:
    types = types_of(cls)
    claimed: set[tuple[str, str]] = set()
    compiled = []
    for one in fields(cls):  # type: ignore[arg-type]
        try:
            compile_ = one.metadata[SPECIFIER]
            type_, default = types[one.name], one.default
            if get_origin(type_) in (Union, UnionType):
                (type_,) = [part for part in get_args(type_) if part is not NoneType]
                default = None if default is MISSING else default
            compiled.append(compile_(Place(cls.NAME, cls.NS, one.name, type_, default, claimed)))
        except (KeyError, TypeError, ValueError) as error:
            raise TypeError(f"{cls.__qualname__}.{one.name}: {error}") from error
    return tuple(compiled)
