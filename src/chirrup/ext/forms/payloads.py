"""Forms to fill in, filled in, and as a way to tell data (XEP-0004).

What a form says must be unambiguous, or it is refused: fields without a name or with one name, two values where
one may be, choices where there is none. A field of a type that nobody knows is one of "text-single" (§3.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, Self, TypeAlias, get_args

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, child_text, child_texts, children, flag, payload, rest
from chirrup.core.values import codec_for
from chirrup.core.xml import Element
from chirrup.ext.forms import FORM_TYPE, NS

FormType: TypeAlias = Literal["form", "submit", "cancel", "result"]
FieldType: TypeAlias = Literal[
    "boolean",
    "fixed",
    "hidden",
    "jid-multi",
    "jid-single",
    "list-multi",
    "list-single",
    "text-multi",
    "text-private",
    "text-single",
]
Value: TypeAlias = str | bool | int | JID
"""What `Form.of` and `Field.of` write as a value."""

_TYPES: Final[Mapping[str, FieldType]] = {name: name for name in get_args(FieldType)}
_SINGLE: Final = frozenset({"boolean", "fixed", "jid-single", "list-single", "text-private", "text-single"})
_CHOICES: Final = frozenset({"list-multi", "list-single"})
_BOOLEAN: Final = codec_for(bool)


@payload("option", NS)
class Option(Payload):
    """One of the values that a field of a "list-" type may have."""

    value: str = child_text("value")
    label: str | None = attribute(default=None)
    """What people see of it."""


@payload("field", NS)
class Field(Payload):
    """A question with its default, an answer, or a fact, as the form's type makes it (§3.2)."""

    var: str = attribute(default="")
    """The field's name; only one of type "fixed" may have none."""
    type: str | None = attribute(default=None)
    """As it was sent; `kind` is what it means."""
    label: str | None = attribute(default=None)
    """What people see of its name."""
    description: str | None = child_text("desc", default=None)
    required: bool = flag("required")
    values: tuple[str, ...] = child_texts("value")
    options: tuple[Option, ...] = children(Option)
    extensions: tuple[Element, ...] = rest()
    """Such as rules for its values (XEP-0122) and media (XEP-0221)."""

    def __post_init__(self) -> None:
        if not self.var and self.type != "fixed":
            raise PayloadError("a <field/> without the attribute 'var' must be of type 'fixed'")
        if len(self.values) > 1 and self.type in _SINGLE:
            raise PayloadError(f"the <field/> {self.var!r} of type {self.type!r} has more than one value")
        if self.options and self.type in _TYPES and self.type not in _CHOICES:
            raise PayloadError(f"the <field/> {self.var!r} of type {self.type!r} has options")

    @classmethod
    def of(cls, var: str, value: Value | Iterable[Value], type_: FieldType | None = None) -> Self:
        """A field with one value, or with each of several."""
        values = [value] if isinstance(value, str | bool | int | JID) else value
        return cls(var, type_, values=tuple([_written(one) for one in values]))

    @property
    def kind(self) -> FieldType:
        """The type, also where none was sent, or one that isn't known. (In an answer the question's type counts.)"""
        return _TYPES.get(self.type or "", "text-single")

    @property
    def value(self) -> str:
        """The first value, or none: an empty string."""
        return self.values[0] if self.values else ""

    @property
    def text(self) -> str:
        """The values as lines, which they are in a field of type "text-multi"."""
        return "\n".join(self.values)

    @property
    def boolean(self) -> bool:
        """The value of a "boolean" field, false without one or with an empty one (§3.6). Raises PayloadError."""
        try:
            return self.value != "" and bool(_BOOLEAN.decode(self.value))
        except ValueError as error:
            raise PayloadError(f"the value of the <field/> {self.var!r} is wrong: {error}") from None

    @property
    def jids(self) -> tuple[JID, ...]:
        """The values of a field of a "jid-" type, each once. Raises PayloadError."""
        try:
            return tuple(dict.fromkeys([JID.parse(value) for value in self.values if value]))
        except ValueError as error:
            raise PayloadError(f"a value of the <field/> {self.var!r} is wrong: {error}") from None


def _written(value: Value) -> str:
    return _BOOLEAN.encode(value) if isinstance(value, bool) else str(value)


@payload("reported", NS)
class Reported(Payload):
    """The head of a table: what the fields of its items are (§3.4)."""

    fields: tuple[Field, ...] = children(Field)


@payload("item", NS)
class Item(Payload):
    """A row of a table (§3.4)."""

    fields: tuple[Field, ...] = children(Field)

    def __post_init__(self) -> None:
        _refuse_one_name_for_two(self.fields)


@payload("x", NS)
class Form(Payload):
    """A form: to be filled in ("form"), filled in ("submit"), not filled in ("cancel"), or data ("result")."""

    type: FormType = attribute()
    title: str | None = child_text("title", default=None)
    instructions: tuple[str, ...] = child_texts("instructions")
    fields: tuple[Field, ...] = children(Field)
    reported: Reported | None = child(Reported, default=None)
    items: tuple[Item, ...] = children(Item)
    extensions: tuple[Element, ...] = rest()
    """Such as its layout in pages (XEP-0141)."""

    def __post_init__(self) -> None:
        _refuse_one_name_for_two(self.fields)
        if self.type != "result" and (self.items or self.reported is not None):
            raise PayloadError(f"a form of type {self.type!r} can't be a table: only a result can")

    @classmethod
    def of(cls, type_: FormType, form_type: str, values: Mapping[str, Value | Iterable[Value]]) -> Self:
        """A form about `form_type` with a field for each value; in a result, where types are told, use `Field`s."""
        hidden = Field.of(FORM_TYPE, form_type, "hidden")
        return cls(type_, fields=(hidden, *[Field.of(var, value) for var, value in values.items()]))

    @property
    def form_type(self) -> str:
        """What the form is about, "" if it doesn't say: the field FORM_TYPE, hidden but where it is sent back
        (XEP-0068 §4.1)."""
        field = self.field(FORM_TYPE)
        return field.value if field is not None and (field.type == "hidden" or self.type == "submit") else ""

    def field(self, var: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields if field.var == var), None)

    def values(self, var: str) -> tuple[str, ...]:
        """The values of the field of that name; none if there is no such field."""
        field = self.field(var)
        return () if field is None else field.values


def _refuse_one_name_for_two(fields: tuple[Field, ...]) -> None:
    seen: set[str] = set()
    for field in fields:
        if field.var in seen:
            raise PayloadError(f"two fields of a form have the name {field.var!r}")
        if field.var:
            seen.add(field.var)
