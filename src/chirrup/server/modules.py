"""Finding modules by name: ours in ext/, those of installed packages, and files in a folder."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from chirrup.core.errors import ConfigError
from chirrup.server.config_errors import did_you_mean
from chirrup.server.module import Module

ENTRY_POINTS: Final = "chirrup.modules"
"""The group of entry points under which packages announce their modules; the entry's name is the module's."""

DEFAULT: Final = (
    "disco",
    "roster",
    "presence",
    "offline",
    "ping",
    "time",
    "version",
    "last_activity",
    "registration",
    "tokens",
    "vcard",
    "private_storage",
    "contact_addresses",
    "stanza_ids",
    "archive",
    "commands",
    "administration",
    "invitations",
    "carbons",
    "client_state",
    "push",
    "blocking",
    "caps",
    "pubsub",
    "avatar",
    "bookmarks",
    "read_state",
    "vcard4",
)
"""The modules that a host has unless its configuration says otherwise."""


def chosen(enabled: Iterable[str], disabled: Iterable[str]) -> list[str]:
    """The names of a host's modules: the default ones, less those disabled, and those enabled."""
    without = set(disabled)
    return list(dict.fromkeys(name for name in (*DEFAULT, *enabled) if name not in without))


def announced() -> dict[str, EntryPoint]:
    """The modules of installed packages, by name. Looking for them takes ten milliseconds."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def find(name: str, folder: Path | None, packages: Mapping[str, EntryPoint] | None = None) -> type[Module]:
    """The class of the module of that name. A file in the folder comes before a package, and that before ours.
    `packages` is what `announced` has found, for those who look for several.

    ConfigError when there is none, when it can't be imported, or when it defines no module."""
    if packages is None:
        packages = announced()
    if folder is not None and (file := folder / f"{name}.py").is_file():
        return _only_module(_import_file(name, file), str(file))
    if (entry := packages.get(name)) is not None:
        loaded = _guard(name, entry.load)
        if not (inspect.isclass(loaded) and issubclass(loaded, Module)):
            raise ConfigError(f"the entry point {entry.value!r} is no chirrup Module", key=name)
        return loaded
    ours = f"chirrup.ext.{name}.server"
    if name.isidentifier() and importlib.util.find_spec("chirrup.ext." + name) and importlib.util.find_spec(ours):
        return _only_module(importlib.import_module(ours), ours)
    raise ConfigError(_missing(name, known(folder, packages)), key="modules_enabled")


def known(folder: Path | None, packages: Iterable[str]) -> set[str]:
    """The names of all modules that there are: ours, those of the packages, and the files in the folder."""
    places = importlib.import_module("chirrup.ext").__path__
    ours = (file.parent.name for place in places for file in Path(place).glob("*/server.py"))
    files = () if folder is None else (file.stem for file in folder.glob("*.py"))
    return {*ours, *packages, *files}


def missing(names: Iterable[str], folder: Path | None, packages: Iterable[str]) -> Iterator[ConfigError]:
    """A fault for each name that no module has: what is switched off by a wrong name would go on unnoticed."""
    names = [name for name in names if name not in DEFAULT]
    if names:
        there = known(folder, packages)
        for name in names:
            if name not in there:
                yield ConfigError(_missing(name, there), key="modules_disabled")


def _missing(name: str, there: Iterable[str]) -> str:
    return f"there is no module {name!r}; {did_you_mean(name, there)}"


def drop_lacking(kinds: dict[str, type[Module]]) -> Iterator[tuple[str, set[str]]]:
    """Take out the modules that need others which aren't there, and tell of each: its name, and what it lacks."""
    while lacking := {name: missing for name, kind in kinds.items() if (missing := set(kind.needs) - kinds.keys())}:
        for name, missing in lacking.items():
            del kinds[name]
            yield name, missing


def _import_file(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"chirrup_modules.{name}", file)
    assert spec is not None
    loader = spec.loader
    assert loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    _guard(name, lambda: loader.exec_module(module))
    return module


def _guard(name: str, load: Callable[[], object]) -> object:
    try:
        return load()
    except Exception as error:
        raise ConfigError(f"the module {name!r} can't be imported: {error!r}", key=name) from error


def _only_module(module: ModuleType, where: str) -> type[Module]:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Module) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ConfigError(f"{where} should define one Module; it defines {len(found)}")
    return found[0]
