"""Every module in plugins/ is a pytest plugin: what a whole family of tests needs has its own there."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = [
    f"tests.plugins.{path.stem}"
    for path in sorted(Path(__file__).with_name("plugins").glob("*.py"))
    if path.stem != "__init__"
]
# Some import others, before their turn as plugins has come.
pytest.register_assert_rewrite(*pytest_plugins)
