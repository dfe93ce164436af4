"""`chirrup init`: a configuration file in which every setting stands, explained, with the value it has by default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from chirrup.cli.explanations import explanations
from chirrup.core.errors import ChirrupError
from chirrup.server.config import Config, HostConfig, parse
from chirrup.server.config_errors import dotted

_WIDTH: Final = 100
_HEAD: Final = """\
Configuration of Chirrup. What begins with "#" has no effect: each setting stands here with the value it has by
default. Take its "#" away to change it; then run `chirrup check config`.
"""


def write(file: Path, hosts: Sequence[str], data: Path | None) -> None:
    """Write the file; ChirrupError if it is there already or a host's name can't be one."""
    text = render(hosts, data)
    parse(text, file=str(file))
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise ChirrupError(f"{file} is there already; move it away, or name another file") from None
    except OSError as error:
        if error.filename is None:  # it is begun, and may not be left like that
            file.unlink()
        raise ChirrupError(f"{file}: {error.strerror}") from None
    print(f"wrote {file}; next: chirrup check config --config {file}")


def render(hosts: Sequence[str], data: Path | None) -> str:
    """The file's text, for these hosts."""
    lines = [*_comment(_HEAD), ""]
    given = {} if data is None else {"data": str(data)}
    lines += _settings(Config, skip=("hosts", "modules"), given=given)
    lines += _tables(Config, (), skip=("hosts", "modules"))
    lines += _comment(explanations(Config)["hosts"])
    lines.append("")
    for name in hosts:
        lines += [f"[{dotted(('hosts', name))}]", *_settings(HostConfig, skip=("modules",))]
    lines += _modules(hosts[0])
    return "\n".join(lines).rstrip() + "\n"


def toml(value: Any) -> str:
    """A default value as TOML spells it; None as the empty text that stands for it."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list | frozenset):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dotted((key,))} = {toml(item)}" for key, item in value.items()) + "}"
    return str(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=False)


def tables(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The fields of a model that are tables with a model of their own."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield name, info.annotation


def _settings(model: type[BaseModel], *, skip: Sequence[str] = (), given: dict[str, Any] | None = None) -> list[str]:
    """Each setting of a table behind its explanation; commented out unless its value is given."""
    given = given or {}
    inner = {name for name, _ in tables(model)}
    explained = explanations(model)
    lines: list[str] = []
    for name, info in model.model_fields.items():
        if name in inner or name in skip:
            continue
        value = given.get(name, info.get_default(call_default_factory=True))
        lines += _comment(explained.get(name, ""))
        lines += [f"{'' if name in given else '# '}{name} = {toml(value)}", ""]
    return lines


def _tables(model: type[BaseModel], path: tuple[str, ...], *, skip: Sequence[str] = ()) -> list[str]:
    lines: list[str] = []
    for name, inner in tables(model):
        if name in skip:
            continue
        settings = _settings(inner)
        if settings:
            lines += [*_comment(inner.__doc__ or ""), f"[{dotted((*path, name))}]", *settings]
        lines += _tables(inner, (*path, name))
    return lines


def _modules(host: str) -> list[str]:
    """The settings of the default modules that have any."""
    from chirrup.server.modules import DEFAULT, find

    text = f"Settings of modules. [modules.NAME] is for all hosts, [{dotted(('hosts', host, 'modules'))}.NAME] for one."
    lines = [*_comment(text), ""]
    for name in DEFAULT:
        module = find(name, None)
        if module.Settings.model_fields:
            lines += [*_comment(module.describe()), f"[modules.{name}]", *_settings(module.Settings)]
    return lines


def _comment(text: str) -> list[str]:
    return [f"## {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH)]
