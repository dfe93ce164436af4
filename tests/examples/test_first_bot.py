"""What docs/tutorial/first-bot.md shows: its files, as they stand there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chirrup.testing import rehearse

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-bot.md"
FILE = re.compile(r'^```python title="(?P<name>\w+)\.py"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The page's files as modules, by name."""
    names = []
    for match in FILE.finditer(PAGE.read_text()):
        (tmp_path / f"{match['name']}.py").write_text(match["text"])
        names.append(match["name"])
    monkeypatch.syspath_prepend(tmp_path)
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name)


async def test_the_pages_own_test(page: dict[str, ModuleType]) -> None:
    await page["test_cafe"].test_orders()


async def test_each_bot(page: dict[str, ModuleType]) -> None:
    async with rehearse(page["echo"].bot) as stage:
        assert await stage.person("alice@localhost").say("hello") == "hello"
    async with rehearse(page["cafe"].bot) as stage:
        assert await stage.person("alice@localhost").say("more coffee!") == "Did somebody say coffee?"
        assert "Brings something to drink." in await stage.person("alice@localhost").say("/help")
    async with rehearse(page["private"].bot) as stage:
        assert await stage.person("alice@localhost").say("/close") == "Closed."
        assert await stage.person("bob@localhost").say("/close") == "You may not use /close."
        assert await stage.person("mallory@example.com").say("/close") == ""
    async with rehearse(page["slow"].bot) as stage:
        assert (await stage.person("alice@localhost").say("go on")).split()[-1] == "dignity"
