"""Forms declared as data: a class with a typed attribute for each question (XEP-0004, XEP-0122).

    @form("http://jabber.org/protocol/admin", title="Add a user")
    class AddUser(Questions):
        accountjid: JID = question("Address")
        password: str = question("Password", private=True)
        role: Literal["user", "admin"] = question("Role", default="user", labels={"admin": "Administrator"})

    AddUser.blank()                  # the Form to fill in
    AddUser.read(form)               # an AddUser, of a form that was filled in; PayloadError names what is wrong
    AddUser(accountjid=jid, password="secret").filled()  # the Form that answers

The attribute's type says what kind of field it is: str, bool, int, float, datetime, JID, a Literal of strings or an
Enum, `X | None` of these for what may be left out, and a tuple of str (lines), JIDs or choices for several. An answer
to a field that isn't declared is ignored, as XEP-0068 has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Final,
    Literal,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.record import make_record, record, types_of
from chirrup.core.values import Codec, codec_for
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, FieldType, Form, Option
from chirrup.ext.forms.validation import Range, Validate

_DATATYPES: Final[Mapping[type, str]] = {int: "xs:integer", float: "xs:decimal", datetime: "xs:dateTime"}
_ASKED: Final = "chirrup.question"


def question(
    label: str = "",
    *,
    default: Any = MISSING,
    required: bool = False,
    var: str = "",
    description: str = "",
    private: bool = False,
    labels: Mapping[str, str] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str = "",
) -> Any:
    """One question. `label` is what people see of it; `var` the field's name, where it isn't the attribute's; `labels`
    what people see of the choices; `private` hides what is typed; `pattern` is for the whole text; `required` asks for
    one value at least of several, which may be none otherwise."""
    asked = _Asked(label, required, var, description, private, dict(labels or {}), minimum, maximum, pattern)
    return field(default=default, metadata={_ASKED: asked})


@record
class _Asked:
    label: str
    required: bool
    var: str
    description: str
    private: bool
    labels: Mapping[str, str]
    minimum: float | None
    maximum: float | None
    pattern: str


@record
class _Question:
    """A question, compiled: how its answers are read and written."""

    name: str
    var: str
    kind: FieldType
    codec: Codec
    several: bool
    required: bool
    default: Any
    choices: tuple[str, ...]
    asked: _Asked
    validate: Validate | None

    def blank(self, value: Any, choices: Mapping[str, str] | None) -> Field:
        """The field as it is asked. `choices` are values with labels, for a list that isn't known before."""
        asked = self.asked
        options = choices if choices is not None else {one: asked.labels.get(one, "") for one in self.choices}
        kind: FieldType = self.kind
        if choices is not None:
            kind = "list-multi" if self.several else "list-single"
        return Field(
            self.var,
            kind,
            asked.label or None,
            asked.description or None,
            self.required,
            self.write(value),
            tuple(Option(one, label or None) for one, label in options.items()),
            (self.validate.to_element(),) if self.validate else (),
        )

    def write(self, value: Any) -> tuple[str, ...]:
        if value is None or value is MISSING:
            return ()
        return tuple([self.codec.encode(one) for one in (value if self.several else (value,))])

    def read(self, form: Form, choices: Mapping[str, str] | None, former: Mapping[str, object]) -> Any:
        """The answer; the former one where the field isn't there at all. PayloadError where there is none that fits."""
        if self.name in former and form.field(self.var) is None:
            return former[self.name]
        values = form.values(self.var)
        if not self.several:
            values = values[:1]
        if self.kind != "text-multi":  # where an empty line is one
            values = tuple([value for value in values if value.strip()])
        if not values:
            if self.required:
                raise PayloadError(f"{self._shown} is missing")
            return self.default if self.default is not MISSING else (() if self.several else None)
        answers = tuple([self._answer(value, choices) for value in values])
        if self.kind == "jid-multi":  # duplicates are ignored (XEP-0004 §3.3)
            answers = tuple(dict.fromkeys(answers))
        return answers if self.several else answers[0]

    def _answer(self, value: str, choices: Mapping[str, str] | None) -> Any:
        asked = self.asked
        try:
            answer = self.codec.decode(value)
        except ValueError as error:
            raise PayloadError(f"{self._shown} is wrong: {error}") from None
        if choices is not None and self.codec.encode(answer) not in choices:
            raise PayloadError(f"{self._shown} should be one of those to choose from")
        if asked.minimum is not None and answer < asked.minimum:
            raise PayloadError(f"{self._shown} should be at least {asked.minimum:g}; it is {value}")
        if asked.maximum is not None and answer > asked.maximum:
            raise PayloadError(f"{self._shown} should be at most {asked.maximum:g}; it is {value}")
        if asked.pattern and re.fullmatch(asked.pattern, value) is None:
            raise PayloadError(f"{self._shown} should look like {asked.pattern}")
        return answer

    @property
    def _shown(self) -> str:
        return f"the field {self.var!r}" + (f" ({self.asked.label})" if self.asked.label else "")


class Questions:
    """The base of declared forms; `@form` gives a class its questions."""

    __slots__ = ()

    FORM_TYPE: ClassVar[str]
    TITLE: ClassVar[str]
    INSTRUCTIONS: ClassVar[str]
    _questions: ClassVar[tuple[_Question, ...]]

    @classmethod
    def blank(cls, *, choices: Mapping[str, Mapping[str, str]] | None = None, **values: object) -> Form:
        """The form to fill in. `values` are answers that are there already, by the attributes' names, beyond their
        defaults; `choices` are the values, with labels, that an attribute of type str or JID may have just now."""
        choices = choices or {}
        asked = [
            question.blank(values.get(question.name, question.default), choices.get(question.name))
            for question in cls._questions
        ]
        return Form(
            "form", cls.TITLE or None, (cls.INSTRUCTIONS,) if cls.INSTRUCTIONS else (), (*cls._hidden(), *asked)
        )

    @classmethod
    def read(cls, form: Form, /, *, choices: Mapping[str, Mapping[str, str]] | None = None, **values: object) -> Self:
        """The answers. `choices` and `values` are those that `blank` was given: what isn't answered at all stays as it
        is (XEP-0004 §3.5). PayloadError for a form about something else, and for an answer that is missing or wrong."""
        if cls.FORM_TYPE and form.form_type not in ("", cls.FORM_TYPE):
            raise PayloadError(f"the form is about {form.form_type}, not about {cls.FORM_TYPE}")
        choices = choices or {}
        return cls(
            **{question.name: question.read(form, choices.get(question.name), values) for question in cls._questions}
        )

    def filled(self, type_: Literal["submit", "result"] = "submit") -> Form:
        """The form with these answers."""
        answers = []
        for question in self._questions:
            values = question.write(getattr(self, question.name))
            if values:
                kind, label = (question.kind, question.asked.label or None) if type_ == "result" else (None, None)
                answers.append(Field(question.var, kind, label, values=values))
        title = self.TITLE or None if type_ == "result" else None
        return Form(type_, title, fields=(*self._hidden(), *answers))

    @classmethod
    def _hidden(cls) -> tuple[Field, ...]:
        return (Field.of(FORM_TYPE, cls.FORM_TYPE, "hidden"),) if cls.FORM_TYPE else ()


Q = TypeVar("Q", bound=Questions)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(question,))
def form(form_type: str = "", *, title: str = "", instructions: str = "") -> Callable[[type[Q]], type[Q]]:
    """Make a declared form, a frozen dataclass. `form_type` is what it is about (XEP-0068); "" where nobody defined
    that."""

    def decorate(declared: type[Q]) -> type[Q]:
        cls = make_record(declared, kw_only=True)
        cls.FORM_TYPE, cls.TITLE, cls.INSTRUCTIONS = form_type, title, instructions
        types = types_of(cls)
        cls._questions = tuple(
            _compile(one.name, types[one.name], one.default, one.metadata[_ASKED])
            for one in fields(cls)  # type: ignore[arg-type]
        )
        return cls

    return decorate


def _compile(name: str, type_: Any, default: Any, asked: _Asked) -> _Question:
    optional = several = False
    if get_origin(type_) in (Union, UnionType):
        (type_,) = [part for part in get_args(type_) if part is not NoneType]
        optional = True
    if get_origin(type_) is tuple:
        type_, several = get_args(type_)[0], True
    required = asked.required or (default is MISSING and not optional and not (several or type_ is bool))
    if type_ is bool and default is MISSING and not optional:
        default = False
    choices = _choices(type_)
    return _Question(
        name, asked.var or name, _kind(type_, several, asked.private, bool(choices)), codec_for(type_), several,
        required, default, choices, asked, _validation(type_, asked),
    )  # fmt: skip


def _choices(type_: Any) -> tuple[str, ...]:
    if get_origin(type_) is Literal:
        return get_args(type_)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return tuple(str(member.value) for member in type_)
    return ()


def _kind(type_: Any, several: bool, private: bool, choices: bool) -> FieldType:
    if choices:
        return "list-multi" if several else "list-single"
    if type_ is bool:
        return "boolean"
    if type_ is JID:
        return "jid-multi" if several else "jid-single"
    if several:
        return "text-multi"
    return "text-private" if private else "text-single"


def _validation(type_: Any, asked: _Asked) -> Validate | None:
    datatype = _DATATYPES.get(type_, "xs:string")
    if asked.pattern:
        return Validate(datatype, regex=asked.pattern)
    if asked.minimum is not None or asked.maximum is not None:
        return Validate(datatype, range=Range(_number(asked.minimum), _number(asked.maximum)))
    return Validate(datatype, basic=True) if type_ in _DATATYPES else None


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"
