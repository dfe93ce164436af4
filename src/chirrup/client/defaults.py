"""The features that clients have without asking, by the name of their folder in ext/."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterable
from typing import Final

from chirrup.client.feature import Feature

DEFAULT: Final = ("disco", "caps", "ping", "version", "time", "presence")


def load(names: Iterable[str]) -> list[type[Feature]]:
    """The classes of these features: every Feature that ext/NAME/client.py defines. A folder that isn't there has
    none."""
    found: list[type[Feature]] = []
    for name in names:
        place = f"chirrup.ext.{name}"
        if importlib.util.find_spec(place) is None or importlib.util.find_spec(f"{place}.client") is None:
            continue
        module = importlib.import_module(f"{place}.client")
        found += [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Feature) and value.__module__ == module.__name__
        ]
    return found
