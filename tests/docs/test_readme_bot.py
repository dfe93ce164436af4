"""The README's bot, copied out of it and run, with a server where the README says that there is one."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chirrup import Message
from chirrup.testing import serve
from chirrup.testing.server import TestServer

TIMEOUT = 20


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server on the port where a client looks for it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 5222)) == 0:
            pytest.skip("port 5222 is taken: another server runs on this machine")
    settings = {"listen": {"c2s": {"port": 5222, "plaintext": False}}}
    async with serve(settings, data=tmp_path / "data") as running:
        yield running


async def test_it_echoes(bots: list[Any], server: TestServer, tmp_path: Path) -> None:
    (readme,) = [snippet for snippet in bots if snippet.page == "README.md"]
    assert len([line for line in readme.text.splitlines() if line]) <= 10, "it says ten lines"
    (tmp_path / "bot.py").write_text(readme.text)
    await server.add_account("bot", "secret")
    bot = await asyncio.create_subprocess_exec(sys.executable, "bot.py", cwd=tmp_path)
    try:
        async with asyncio.timeout(TIMEOUT), await server.sdk("alice") as alice:
            heard = alice.messages()
            await alice.send(Message("bot@localhost", "hello"))  # which waits for the bot, if it isn't there yet
            assert (await anext(heard)).body == "hello"
    finally:
        bot.terminate()
        await bot.wait()
