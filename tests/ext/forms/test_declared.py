"""Forms declared as data: what is asked, how answers are read, and what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Literal

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.declared import Questions, form, question
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.forms.validation import Validate


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@form("urn:example:everything", title="Everything", instructions="Say it all.")
class Everything(Questions):
    name: str = question("Name", pattern="[a-z]+")
    secret: str | None = question("Secret", private=True)
    old: bool = question("Old")
    age: int = question("Age", default=18, minimum=0, maximum=150)
    weight: float | None = question("Weight")
    born: datetime | None = question("Born")
    friend: JID | None = question("Friend", var="some#friend")
    friends: tuple[JID, ...] = question("Friends")
    size: Literal["s", "m", "l"] = question("Size", default="m", labels={"s": "Small"})
    colours: tuple[Colour, ...] = question("Colours")
    notes: tuple[str, ...] = question("Notes")


def submitted(**values: str | list[str]) -> Form:
    fields = [Field(var, values=(value,) if isinstance(value, str) else tuple(value)) for var, value in values.items()]
    return Form("submit", fields=tuple(fields))


def test_what_is_asked() -> None:
    blank = Everything.blank(name="juliet")
    assert (blank.type, blank.title, blank.instructions) == ("form", "Everything", ("Say it all.",))
    assert blank.form_type == "urn:example:everything"
    kinds = {field.var: (field.kind, field.required, field.values) for field in blank.fields if field.var != FORM_TYPE}
    assert kinds == {
        "name": ("text-single", True, ("juliet",)),
        "secret": ("text-private", False, ()),
        "old": ("boolean", False, ("false",)),
        "age": ("text-single", False, ("18",)),
        "weight": ("text-single", False, ()),
        "born": ("text-single", False, ()),
        "some#friend": ("jid-single", False, ()),
        "friends": ("jid-multi", False, ()),
        "size": ("list-single", False, ("m",)),
        "colours": ("list-multi", False, ()),
        "notes": ("text-multi", False, ()),
    }
    size = blank.field("size")
    assert size is not None
    assert [(option.value, option.label) for option in size.options] == [("s", "Small"), ("m", None), ("l", None)]


@pytest.mark.parametrize(
    ("var", "written"),
    [
        ("age", "datatype='xs:integer'><range min='0' max='150'/>"),
        ("weight", "datatype='xs:decimal'><basic/>"),
        ("born", "datatype='xs:dateTime'><basic/>"),
        ("name", "><regex>[a-z]+</regex>"),
    ],
)
def test_rules_are_told(var: str, written: str) -> None:
    asked = Everything.blank().field(var)
    assert asked is not None
    rule = str(asked.to_element())
    assert written in rule, rule
    assert Form.parse(Everything.blank().to_element()).field(var) is not None, "and can be read again"


def test_answers_have_their_types() -> None:
    answers = Everything.read(
        submitted(
            **{FORM_TYPE: "urn:example:everything", "some#friend": "romeo@montague.lit", "unknown": "x"},
            name="juliet", secret="psst", old="1", age=" 14 ", weight="44.5", born="1597-01-01T12:00:00Z",
            friends=["nurse@capulet.lit", "tybalt@capulet.lit"], size="l", colours=["red", "blue"],
            notes=["one", "", "three"],
        )
    )  # fmt: skip
    assert answers == Everything(
        name="juliet", secret="psst", old=True, age=14, weight=44.5, born=datetime(1597, 1, 1, 12, tzinfo=UTC),
        friend=JID("romeo@montague.lit"), friends=(JID("nurse@capulet.lit"), JID("tybalt@capulet.lit")), size="l",
        colours=(Colour.RED, Colour.BLUE), notes=("one", "", "three"),
    )  # fmt: skip


def test_what_may_be_left_out() -> None:
    answers = Everything.read(submitted(name="juliet", secret="", born=[]))
    assert (answers.secret, answers.old, answers.age, answers.friends, answers.size) == (None, False, 18, (), "m")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "'name' (Name) is missing"),
        ({"name": "  "}, "'name' (Name) is missing"),
        ({"name": "Juliet"}, "should look like [a-z]+"),
        ({"name": "juliet", "age": "old"}, "is no integer"),
        ({"name": "juliet", "age": "-1"}, "at least 0"),
        ({"name": "juliet", "age": "151"}, "at most 150"),
        ({"name": "juliet", "size": "xl"}, "'size'"),
        ({"name": "juliet", "friends": ["a@b", "@"]}, "'friends'"),
        ({"name": "juliet", "born": "yesterday"}, "no date and time"),
        ({"name": "juliet", "old": "perhaps"}, "'old'"),
        ({FORM_TYPE: "urn:example:other", "name": "juliet"}, "not about urn:example:everything"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, str | list[str]], said: str) -> None:
    with pytest.raises(PayloadError) as refused:
        Everything.read(submitted(**values))
    assert said in str(refused.value)


def test_a_filled_form_reads_as_it_was() -> None:
    answers = Everything(
        name="juliet", secret=None, old=True, weight=None, born=None, friend=JID("a@b"), friends=(),
        colours=(Colour.RED,), notes=(),
    )  # fmt: skip
    assert Everything.read(answers.filled()) == answers
    result = answers.filled("result")
    age = result.field("age")
    assert age is not None
    assert (result.type, result.title, age.kind, age.label) == ("result", "Everything", "text-single", "Age")


def test_choices_of_the_moment() -> None:
    @form()
    class Pick(Questions):
        node: str = question("Node")

    blank = Pick.blank(choices={"node": {"a": "The first", "b": ""}})
    asked = blank.field("node")
    assert asked is not None
    assert asked.kind == "list-single"
    assert [(option.value, option.label) for option in asked.options] == [("a", "The first"), ("b", None)]
    assert blank.field(FORM_TYPE) is None
    choices = {"node": {"a": "The first", "b": ""}}
    assert Pick.read(submitted(node="b"), choices=choices) == Pick(node="b")
    with pytest.raises(PayloadError, match="one of those to choose from"):
        Pick.read(submitted(node="c"), choices=choices)


def test_addresses_that_are_given_twice_count_once() -> None:
    read = Everything.read(submitted(name="a", friends=["b@c", "B@C", "d@e"]))
    assert read.friends == (JID("b@c"), JID("d@e"))


def test_what_is_not_answered_stays_as_it_is() -> None:
    """XEP-0004 §3.5 and §3.6: to empty a field takes a field."""
    kept = (JID("b@c"),)
    assert Everything.read(submitted(name="a"), friends=kept).friends == kept
    assert Everything.read(submitted(name="a", friends=[]), friends=kept).friends == ()
    assert Everything.read(submitted(name="a", friends=""), friends=kept).friends == ()


def test_validation_is_read() -> None:
    """XEP-0122 §3.2.3, its example of a range."""
    element = Element("validate", Validate.NS, Element("range", Validate.NS, min="2003-10-05", max="2003-10-24"))
    element.set("datatype", "xs:date")
    validate = Validate.parse(element)
    assert (validate.datatype, validate.basic, validate.regex) == ("xs:date", False, None)
    assert validate.range is not None
    assert (validate.range.min, validate.range.max) == ("2003-10-05", "2003-10-24")
