from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.plugins import stores

from chirrup.store import Store

CONFIG = """
data = "data"
[hosts."capulet.com"]
[hosts."montague.net"]
[hosts."guests.net"]
authentication = "anonymous"
"""


@pytest.fixture(autouse=True)
def configured(elsewhere: Path) -> Path:
    """Two hosts with accounts, and an empty data folder."""
    (elsewhere / "chirrup.toml").write_text(CONFIG)
    (elsewhere / "data").mkdir()
    return elsewhere


@pytest.fixture
def stored() -> Callable[[Callable[[Store], Awaitable[Any]]], Any]:
    """Asks the store."""
    return stores.stored
