"""What docs/how-to/client-features.md shows: its files, as they stand there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import ModuleType

import pytest

from chirrup import JID, Message
from chirrup.ext.blocking.client import Blocking
from chirrup.ext.chat.client import Chats
from chirrup.ext.client_state.client import ClientState
from chirrup.testing import serve

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "client-features.md"
FILE = re.compile(r'^```python title="(?P<name>\w+)\.py"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture
def page() -> dict[str, ModuleType]:
    """The page's files as modules, by name."""
    found = {}
    for match in FILE.finditer(PAGE.read_text()):
        found[match["name"]] = module = ModuleType(match["name"])
        exec(compile(match["text"], match["name"], "exec"), vars(module))
    return found


async def test_conversing_and_remembering(page: dict[str, ModuleType]) -> None:
    async with (
        serve() as server, await server.sdk("romeo") as romeo, await server.sdk("juliet") as juliet, asyncio.timeout(20)
    ):  # fmt: skip
        chat = juliet.need(Chats).open(romeo.account)
        conversing = asyncio.create_task(page["converse"].converse(romeo))
        assert (await anext(aiter(chat))).body == "Good mornign!"
        await chat.send("It is a fine one.")
        assert await conversing == ["Good morning!", "It is a fine one.", "So it is."]
        assert (await anext(aiter(chat))).body == "> It is a fine one.\nSo it is."
        remembered = await page["remember"].remember(romeo)
        assert [line for line in remembered if line.startswith("Juliet")] == ["Juliet: It is a fine one."]
        assert remembered[-1] == "me: Good mornign!"


async def test_missing_nothing(page: dict[str, ModuleType], tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serve() as server, await server.sdk("bob") as bob, asyncio.timeout(20):
        for text, found in (("first", []), ("second", ["second"])):
            await server.add_account("alice")
            if text == "second":
                await bob.send(Message("alice@localhost", text))
                await bob.settle()
            heard: list[str] = []
            await page["miss_nothing"].miss_nothing(await server.sdk("alice"), state, heard)
            assert heard == found


async def test_tunes(page: dict[str, ModuleType]) -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        titles: list[str] = []
        await page["tunes"].tunes(alice, titles)
        assert titles == ["alice@localhost: Heart of the Sunrise"]


async def test_joining(page: dict[str, ModuleType]) -> None:
    async with serve({"modules": {"registration": {"mode": "open"}}}) as server, asyncio.timeout(20):
        options = {"host": "127.0.0.1", "port": server.port(), "verify": False}
        await page["join"].join("", **options)
        assert await server.server.store.accounts.exists("localhost", "mercutio")


async def test_a_phone_in_a_pocket(page: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    async with (
        serve() as server,
        await server.sdk("juliet/phone") as phone,
        await server.sdk("juliet/laptop") as laptop,
        asyncio.timeout(20),
    ):
        await page["pocket"].pocket(phone, "push.example.org")
        assert list(phone.need(Blocking)) == [JID("tybalt@localhost")]
        assert not phone.need(ClientState).is_active
        copies = phone.messages()
        await laptop.send(Message("romeo@localhost", "Good night."))
        assert (await anext(copies)).body == "Good night."
        assert capsys.readouterr().out == "me Good night. (a copy)\n"


async def test_inviting(page: dict[str, ModuleType]) -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        assert (await page["invite"].invite(alice)).startswith("xmpp:alice@localhost?roster;preauth=")
