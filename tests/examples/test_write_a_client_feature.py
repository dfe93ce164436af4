"""What docs/how-to/write-a-client-feature.md shows: its files, as they stand there."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chirrup import Message, Presence, StanzaError
from chirrup.testing import serve

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-client-feature.md"
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
        importlib.sys.modules.pop(name)  # type: ignore[attr-defined]


async def test_a_game(page: dict[str, ModuleType]) -> None:
    await page["test_game"].test_a_game()


async def test_dice_have_so_many_sides(page: dict[str, ModuleType]) -> None:
    thrower = page["dice"].Thrower
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        bob.need(thrower)
        await bob.send(Presence(alice.jid))
        await bob.settle()
        with pytest.raises(StanzaError, match="2 to 20 sides"):
            await alice.need(thrower).throw(bob.jid, 1000)


async def test_weather(page: dict[str, ModuleType]) -> None:
    weather = page["weather"]
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        reports = bob.need(weather.Reports).reports()
        await alice.send(Message(bob.jid, None, weather.Weather("rain")))
        async with asyncio.timeout(10):
            assert await anext(reports) == "rain"
