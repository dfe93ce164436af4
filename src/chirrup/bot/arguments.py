"""A command's arguments: what its function's parameters say, read from what people type."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from chirrup.core.record import record
from chirrup.core.values import Codec, codec_for

MISSING: Final = inspect.Parameter.empty
_WORD: Final = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|\S+)\s*""")


class UsageError(ValueError):
    """What was typed isn't what the command wants; the message says why."""


@record
class Argument:
    """One parameter."""

    name: str
    type: Any
    codec: Codec
    default: Any
    several: bool
    """Whether it takes all that is left, a word each."""

    @property
    def usage(self) -> str:
        shown = "|".join(choices(self.type)) or self.name.upper()
        if self.several:
            return f"[{shown} …]"
        return shown if self.default is MISSING else f"[{shown}]"


@record
class Signature:
    """All parameters of a command, but for the first, which is the message."""

    arguments: tuple[Argument, ...]

    @classmethod
    def of(cls, handler: Callable[..., Any]) -> Signature:
        """Raises ValueError for parameters that nobody can type."""
        types = get_type_hints(handler)
        parameters = list(inspect.signature(handler).parameters.values())
        if not parameters:
            raise ValueError(f"{handler.__qualname__} takes no message")
        return cls(tuple(_argument(parameter, types.get(parameter.name, str)) for parameter in parameters[1:]))

    @property
    def usage(self) -> str:
        return " ".join(argument.usage for argument in self.arguments)

    def read(self, text: str) -> list[Any]:
        """The arguments that a text gives. The last one, where it is a text, is all that is left. UsageError."""
        values: list[Any] = []
        rest = text.strip()
        for position, argument in enumerate(self.arguments):
            last = position == len(self.arguments) - 1
            if argument.several:
                return [*values, *[_value(argument, word) for word in _words(rest)]]
            if last and argument.type is str and rest:
                whole = _words(rest)
                return [*values, whole[0] if len(whole) == 1 else rest]
            word, rest = _first(rest)
            if word is not None:
                values.append(_value(argument, word))
            elif argument.default is MISSING:
                raise UsageError(f"{argument.name} is missing")
            else:
                values.append(argument.default)
        if rest:
            raise UsageError(f"{rest!r} is too much")
        return values

    def given(self, values: Mapping[str, Any]) -> list[Any]:
        """The arguments, by their names."""
        found: list[Any] = []
        for argument in self.arguments:
            value = values.get(argument.name)
            if argument.several:
                found += value or ()
            else:
                found.append(argument.default if value is None and argument.default is not MISSING else value)
        return found


def choices(type_: Any) -> tuple[str, ...]:
    """The words that a type allows, if they are few."""
    if get_origin(type_) is Literal:
        return tuple(map(str, get_args(type_)))
    if isinstance(type_, type) and issubclass(type_, Enum):
        return tuple(str(member.value) for member in type_)
    return ()


def _argument(parameter: inspect.Parameter, type_: Any) -> Argument:
    if parameter.kind is parameter.KEYWORD_ONLY or parameter.kind is parameter.VAR_KEYWORD:
        raise ValueError(f"{parameter.name}: a command's arguments are given by their place")
    if get_origin(type_) in (Union, UnionType):
        (type_,) = [part for part in get_args(type_) if part is not NoneType]
    try:
        codec = codec_for(type_)
    except TypeError as error:
        raise ValueError(f"{parameter.name}: {error}") from None
    return Argument(parameter.name, type_, codec, parameter.default, parameter.kind is parameter.VAR_POSITIONAL)


def _value(argument: Argument, word: str) -> Any:
    try:
        return argument.codec.decode(word)
    except ValueError as error:
        raise UsageError(f"{argument.name}: {error}") from None


def _words(text: str) -> list[str]:
    """Words as a shell would see them; as they stand where quotation marks don't match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _first(text: str) -> tuple[str | None, str]:
    """The first word, and what is behind it."""
    match = _WORD.match(text)
    return (None, "") if match is None else ("".join(_words(match[1])), text[match.end() :])
