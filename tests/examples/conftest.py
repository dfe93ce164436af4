from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads an example as it is loaded when it runs, without running it."""

    def load(name: str) -> ModuleType:
        monkeypatch.setattr("sys.argv", [f"{name}.py"])
        file = EXAMPLES / f"{name}.py"
        assert len(file.read_text().splitlines()) < 60, "an example is short"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
