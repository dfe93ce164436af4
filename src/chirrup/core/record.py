"""Records: frozen dataclasses with slots, whose making costs a tenth.

    @record
    class Address:
        host: str
        port: int = 5222

It is `@dataclass(frozen=True, slots=True)`, with `fields`, `replace`, `asdict` and `match`. That one writes six
functions a class as text and compiles them, in a third of a millisecond; most of them are never called, and there are
hundreds of such classes, which was a fifth of what a server took to start. Here a class shares all functions with the
others but `__init__`, which has to be quick, and is written and compiled when the first instance is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, is_dataclass
from inspect import get_annotations
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

__all__ = ["make_record", "record", "types_of"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(declared: type[T]) -> type[T]:
    """Make a class a record. What it defines itself of the methods stays as it is."""
    return make_record(declared)


def make_record(declared: type[T], *, kw_only: bool = False) -> type[T]:
    """For decorators that make records of a kind of their own."""
    own = vars(declared).keys()
    declared.__doc__ = declared.__doc__ or declared.__name__  # or dataclasses look for the signature of `__init__`
    cls = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(declared)
    for name, method in _methods(cls, fields(cls)).items():  # type: ignore[arg-type]
        # (A class that defines __eq__ has a __hash__ that is None; dataclasses make one for it too.)
        if name not in own or vars(cls)[name] is None:
            setattr(cls, name, method)
    return cls


def types_of(cls: type) -> dict[str, Any]:
    """The types of a record's fields, by name, as `typing.get_type_hints` finds them; that one looks at more."""
    types: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base):
            types |= get_annotations(base, eval_str=True)
    return types


def _methods(cls: type, declared: tuple[Field[Any], ...]) -> dict[str, Callable[..., Any]]:
    names = [one.name for one in declared]
    shown = [one.name for one in declared if one.repr]
    compared = _getter([one.name for one in declared if one.compare])

    def make(self: Any, *args: Any, **values: Any) -> None:
        init = cls.__init__ = _init(cls, declared)  # type: ignore[misc]
        init(self, *args, **values)

    def show(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

    def equals(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def digest(self: Any) -> int:
        return hash(compared(self))

    def reduce(self: Any) -> tuple[Any, ...]:
        return _restored, (type(self), {name: getattr(self, name) for name in names})

    return {
        "__init__": make,
        "__repr__": show,
        "__eq__": equals,
        "__hash__": digest,
        "__reduce__": reduce,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
    }


def _getter(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _restored(cls: type[T], values: dict[str, Any]) -> T:
    """What `copy` and `pickle` make again; it was checked before."""
    made = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _init(cls: type, declared: tuple[Field[Any], ...]) -> Callable[..., None]:
    """`__init__`, as dataclasses write it."""
    known: dict[str, Any] = {"__set": object.__setattr__, "__missing": MISSING}
    plain, by_name, lines = ["__self"], ["*"], []
    for one in declared:
        name = value = parameter = one.name
        if one.default is not MISSING:
            known[f"__default_{name}"] = one.default
            parameter = f"{name}=__default_{name}"
        elif one.default_factory is not MISSING:
            known[f"__default_{name}"] = one.default_factory
            parameter = f"{name}=__missing"
            value = f"__default_{name}() if {name} is __missing else {name}"
        if one.init:
            (by_name if one.kw_only else plain).append(parameter)
        elif one.default_factory is not MISSING:
            value = f"__default_{name}()"
        else:
            value = f"__default_{name}"
        lines.append(f" __set(__self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" __self.__post_init__()")
    parameters = plain if len(by_name) == 1 else plain + by_name
    head = f"def __init__({', '.join(parameters)}):"
    exec("\n".join([head, *lines, " return"]), known)  # made of nothing but the names of fields
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init
