"""Records do what frozen dataclasses do."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from chirrup.core.record import record, types_of


@record
class Pen:
    """What one writes with."""

    colour: str
    width: int = 2
    secret: str = field(default="", repr=False, compare=False)
    marks: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """The same, as the standard library makes it."""

    colour: str
    width: int = 2
    secret: str = field(default="", repr=False, compare=False)
    marks: dict[str, int] = field(default_factory=dict, compare=False)


@record
class Fountain(Pen):
    """Fields of its own come behind."""

    ink: str = field(default="blue", kw_only=True)


@record
class Checked:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("too small")


@record
class Named:
    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __repr__(self) -> str:
        return f"<{self.name}>"


@record
class Nothing:
    pass


@pytest.mark.parametrize(
    ("args", "values"), [(("red",), {}), (("red", 3), {}), (("red",), {"secret": "x", "marks": {"a": 1}})]
)
def test_what_it_is_made_of(args: tuple[Any, ...], values: dict[str, Any]):
    made, known = Pen(*args, **values), Known(*args, **values)
    assert asdict(made) == asdict(known)  # type: ignore[call-overload]
    assert repr(made) == repr(known).replace("Known", "Pen")
    assert hash(made) == hash(Pen(*args, **values))


def test_every_instance_has_a_default_of_its_own():
    first, second = Pen("red"), Pen("red")
    first.marks["here"] = 1
    assert second.marks == {}


@pytest.mark.parametrize("wrong", [lambda: Pen(), lambda: Pen("red", nib=1), lambda: Pen("red", 1, "", {}, 5)])  # type: ignore[call-arg]
def test_wrong_arguments(wrong: Any):
    for _ in range(2):  # the first time `__init__` is only made
        with pytest.raises(TypeError, match=r"Pen\.__init__\(\)"):
            wrong()


def test_a_signature_is_told_from_the_first_instance_on():
    Pen("red")
    assert list(inspect.signature(Pen).parameters) == ["colour", "width", "secret", "marks"]


def test_nothing_can_be_set_or_deleted():
    pen = Pen("red")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'colour'"):
        pen.colour = "blue"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'colour'"):
        del pen.colour
    assert not hasattr(pen, "__dict__")


def test_what_counts_for_equality():
    assert Pen("red", secret="a") == Pen("red", secret="b")
    assert hash(Pen("red", secret="a")) == hash(Pen("red", secret="b"))
    assert Pen("red") != Pen("red", 3)
    assert Pen("red") != Fountain("red")
    assert Pen("red") != "red"
    assert Nothing() == Nothing() and hash(Nothing()) == hash(Nothing()) and repr(Nothing()) == "Nothing()"


def test_a_record_extends_another():
    assert repr(Fountain("red", ink="black")) == "Fountain(colour='red', width=2, marks={}, ink='black')"
    with pytest.raises(TypeError):
        Fountain("red", 2, "", {}, "black")  # type: ignore[misc]
    assert isinstance(Fountain("red"), Pen)


def test_what_a_class_defines_itself():
    assert Named("A") == Named("a") and hash(Named("A")) == hash(Named("a")) and repr(Named("A")) == "<A>"
    with pytest.raises(ValueError, match="too small"):
        Checked(-1)


def test_dataclasses_take_it_for_one_of_theirs():
    assert is_dataclass(Pen) and [one.name for one in fields(Pen)] == ["colour", "width", "secret", "marks"]
    assert replace(Pen("red", secret="x"), width=5) == Pen("red", 5)
    assert replace(Pen("red", secret="x"), width=5).secret == "x"
    match Pen("red", 3):
        case Pen(colour, width):
            assert (colour, width) == ("red", 3)


def test_copies():
    pen = Fountain("red", 3, "x", {"here": 1}, ink="black")
    for made in (copy.copy(pen), copy.deepcopy(pen), pickle.loads(pickle.dumps(pen))):
        assert made == pen and made.secret == "x" and made.marks == {"here": 1}
    assert copy.deepcopy(pen).marks is not pen.marks


def test_names_that_could_mean_something_else():
    @record
    class Odd:
        self: str
        set: str = "a"
        missing: dict[str, str] = field(default_factory=dict)

    assert repr(Odd("b")) == f"{Odd.__qualname__}(self='b', set='a', missing={{}})"


def test_a_field_that_is_not_given():
    @record
    class Counted:
        name: str
        seen: list[str] = field(default_factory=list, init=False)
        limit: int = field(default=3, init=False)

    first = Counted("a")
    first.seen.append("b")
    assert (first.limit, Counted("a").seen, replace(first, name="c").seen) == (3, [], [])
    with pytest.raises(TypeError):
        Counted("a", [])  # type: ignore[call-arg]


def test_types_of_fields():
    assert types_of(Fountain) == {"colour": str, "width": int, "secret": str, "marks": dict[str, int], "ink": str}
