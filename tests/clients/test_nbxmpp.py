"""nbxmpp, which Gajim is built on: it checks what it is sent, and says what it finds odd."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.needs import unavailable

PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("nbxmpp_client.py")
TIMEOUT = 20.0
DEEDS = 19


@pytest.fixture(scope="session")
def interpreter() -> str:
    """Debian's, which has the library."""
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", "import nbxmpp"], capture_output=True).returncode:
        unavailable("python3-nbxmpp")
    return PYTHON


@pytest.fixture
async def program(server: Any, interpreter: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Alice at a program of its own."""
    process = await asyncio.create_subprocess_exec(
        interpreter, str(SCRIPT), str(server.port), str(server.certificate),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    yield process
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(TIMEOUT):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def heard(process: asyncio.subprocess.Process) -> Any:
    """What the program says next: what it is about, and what came of it. It has to have gone well."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        what, well, value = json.loads(await process.stdout.readline())
    assert well, (what, value)
    return what, value


async def test_all_that_it_asks_for_is_answered_in_words_that_it_knows(online: Any, program: Any) -> None:
    """And it goes on with its session when its connection is gone: nothing is lost, doubled or out of order."""
    bob = await online("bob")
    answers = [await heard(program) for _ in range(DEEDS)]
    assert (
        dict(answers)["Blocking.request_blocking_list"]
        == "{JID(localpart='spam', domain='example.org', resource=None)}"
    )
    assert await heard(program) == ("cut", "")
    said = [f"while you were away {number}" for number in range(5)]
    for text in said:
        bob.send_message("alice@localhost/gajim", text, mtype="chat")
    program.stdin.write(b"come back\n")
    assert await heard(program) == ("resumed", "")
    assert [await heard(program) for _ in said] == [("message", text) for text in said]
