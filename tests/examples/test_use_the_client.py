"""What docs/how-to/use-the-client.md shows: its files, as they stand there."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from chirrup import Message
from chirrup.testing import serve

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-client.md"
FILE = re.compile(r'^```python title="(?P<name>\w+)\.py"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
TIMEOUT = 10


@pytest.fixture
def page() -> dict[str, ModuleType]:
    """The page's files as modules, by name."""
    found = {}
    for match in FILE.finditer(PAGE.read_text()):
        found[match["name"]] = module = ModuleType(match["name"])
        exec(compile(match["text"], match["name"], "exec"), vars(module))
    return found


async def test_greeting(page: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    async with serve({"hosts": {"example.org": {}}}) as server, await server.sdk("juliet@example.org") as juliet:
        heard = juliet.messages()
        greeting = asyncio.create_task(page["greet"].greet(await server.sdk("romeo@example.org")))
        async with asyncio.timeout(TIMEOUT):
            message = await anext(heard)
            assert message.body == "Good morning!"
            await message.reply("Hello")
            assert (await anext(heard)).body == "And a good day."
        greeting.cancel()
        await asyncio.wait([greeting])
        assert f"{juliet.jid} Hello" in capsys.readouterr().out


async def test_watching(page: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    async with serve() as server:
        client = await server.sdk("alice")
        watching = asyncio.create_task(page["watch"].watch(client))
        await asyncio.sleep(0)
        async with client:
            assert client._link is not None
            client._link.abort()
            async with asyncio.timeout(TIMEOUT):
                while client.state.value != "waiting":
                    await client._changed()
        assert (await watching)[-3:] == ["online", "waiting", "offline"]
        assert "the next attempt is in" in capsys.readouterr().out


async def test_hearing(page: dict[str, ModuleType]) -> None:
    heard: list[str] = []
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        page["hear"].hear(bob, heard)
        answers = alice.messages()
        async with asyncio.timeout(TIMEOUT):
            await alice.send(Message("bob@localhost", "abc"))
            assert (await anext(answers)).body == "cba"
            await bob.close()
            await alice.send(Message("bob@localhost", "later"))
            await alice.settle()
            await bob.connect()
            assert (await anext(answers)).body == "retal"
    assert heard[0] == "abc"
    assert any(line.startswith("sent at ") for line in heard)


async def test_contacts(page: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    async with serve() as server, await server.sdk("alice") as alice:
        assert await page["contacts"].contacts(alice) == ["Juliet"]
    assert capsys.readouterr().out == "the server tells its version\n"


def test_nothing_is_left_behind(page: dict[str, ModuleType]) -> None:
    assert not set(page) & set(sys.modules)
