"""What is wrong with a configuration, said in lines for its author: file and line, key, fault, cure."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chirrup.core.errors import ConfigError
from chirrup.core.record import record
from chirrup.server.toml_lines import KeyPath

_SECRET: Final = ("store", "password", "secret", "token")
_LONGEST_ECHO: Final = 60

_WANTED: Final = {
    "int_type": "should be a whole number, such as 5222",
    "int_from_float": "should be a whole number, such as 5222",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "string_type": 'should be a text in quotes, such as "example.org"',
    "list_type": 'should be a list, such as ["one", "two"]',
    "tuple_type": 'should be a list, such as ["one", "two"]',
    "set_type": 'should be a list, such as ["one", "two"]',
    "frozen_set_type": 'should be a list, such as ["one", "two"]',
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
    "too_short": "should have at least {min_length} in it",
    "string_too_short": "should not be empty",
    "literal_error": "should be {expected}",
    "enum": "should be {expected}",
}


@record
class Source:
    """Where a configuration was read: for error messages only."""

    file: str = ""
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    host_keys: Mapping[str, str] = field(default_factory=dict)
    """How each host is spelt in the file."""

    def error(self, path: KeyPath, problem: str) -> ConfigError:
        """A ConfigError at the path's line; where the path isn't in the file, at the table that lacks it."""
        at = path
        while at and at not in self.lines:
            at = at[:-1]
        return ConfigError(problem, key=dotted(path), file=self.file, line=self.lines.get(at))


def dotted(path: KeyPath) -> str:
    """A path as TOML spells it: `hosts."example.org".admins[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
            text += ("." if text else "") + (part if bare else json.dumps(part, ensure_ascii=False))
    return text


def join(errors: Iterable[ConfigError]) -> ConfigError:
    """Several errors as one whose message has a line for each, in the order of the file."""
    ordered = sorted(errors, key=lambda error: error.line or 0)
    if len(ordered) == 1:
        return ordered[0]
    return ConfigError("\n".join(str(error) for error in ordered))


def from_validation(error: ValidationError, model: type[BaseModel], source: Source, *tables: KeyPath) -> ConfigError:
    """What pydantic found in a table, with a line for each fault.

    `tables` are the places in the file from which the table was put together, that which counts most first.
    """

    def locate(path: KeyPath) -> KeyPath:
        path = path[:-1] if path[-1:] == ("[key]",) else path
        return next((table + path for table in tables if table + path in source.lines), (tables or ((),))[0] + path)

    return join(
        source.error(locate(details["loc"]), _problem(details, model)) for details in error.errors(include_url=False)
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A near miss among the known names, or else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known here: {', '.join(names)}" if names else "nothing can be set here"


def _problem(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, path, given = details["type"], details["loc"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, given, list(_known_keys(model, path[:-1])))
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    text = _WANTED.get(kind, details["msg"]).format(**context).replace("'", '"')
    if kind in ("too_short", "string_too_short") and isinstance(given, str) and context["min_length"] > 1:
        text = f"should have at least {context['min_length']} characters"
    if kind in ("literal_error", "enum") and isinstance(given, str):
        near = difflib.get_close_matches(given, text.split('"')[1::2], n=1)
        text += f'; did you mean "{near[0]}"?' if near else ""
    secret = any(word in str(part).lower() for part in path for word in _SECRET)
    return text if secret else f"{text} (it is {_echo(given)})"


def _unknown_key(path: KeyPath, given: object, known: list[str]) -> str:
    hint = did_you_mean(str(path[-1]), known)
    if path[0] in ("hosts", "components") and len(path) == 3 and isinstance(given, dict) and "mean" not in hint:
        name, inner = f"{path[1]}.{path[2]}", given
        while len(inner) == 1 and isinstance(next(iter(inner.values())), dict) and not set(inner) & set(known):
            ((part, inner),) = inner.items()
            name += f".{part}"
        return f"unknown key; a domain stands in quotes, as in [{path[0]}.{json.dumps(name, ensure_ascii=False)}]"
    return f"unknown key; {hint}"


def _echo(given: object) -> str:
    if isinstance(given, dict):
        return "a table"
    if isinstance(given, list):
        return "a list"
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "…"


def _known_keys(model: type[BaseModel], path: KeyPath) -> Iterable[str]:
    """The keys that the model at a path has; none where there is no model."""
    at: Any = model
    for part in path:
        at = _inside(at, part)
    found = _model(at)
    return found.model_fields if found else ()


def _inside(annotation: Any, part: str | int) -> Any:
    model = _model(annotation)
    if model is not None:
        info = model.model_fields.get(str(part))
        return info.annotation if info else None
    if get_origin(annotation) in (Union, types.UnionType, typing.Annotated):
        return _inside(get_args(annotation)[0], part)
    arguments = get_args(annotation)
    if not arguments:
        return None
    return arguments[0] if isinstance(part, int) else arguments[-1]


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, typing.Annotated):
        return next((model for each in get_args(annotation) if (model := _model(each))), None)
    return None
