"""xmpp.js (npm's @xmpp/client) logs in with one request, comes back with a token and goes on with its session."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.needs import unavailable

from chirrup.core.values import parse_element
from chirrup.core.xml import Element

pytestmark = pytest.mark.needs("node", "npm")

VERSION = "0.14.0"
SCRIPT = Path(__file__).with_name("xmpp_js.mjs")
TIMEOUT = 20.0
SASL2, BIND, FAST, SM = "urn:xmpp:sasl:2", "urn:xmpp:bind:0", "urn:xmpp:fast:0", "urn:xmpp:sm:3"
ARCHIVE = "urn:xmpp:mam:2"


@pytest.fixture(scope="session")
def program(pytestconfig: pytest.Config) -> Path:
    """The program, in a folder where what it needs is installed; that is kept for the next time."""
    folder = Path(pytestconfig.cache.mkdir(f"xmpp-js-{VERSION}"))
    if not (folder / "node_modules" / "@xmpp" / "client").is_dir():
        line = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"@xmpp/client@{VERSION}"]
        if subprocess.run(line, capture_output=True, timeout=300, check=False).returncode != 0:
            unavailable(f"@xmpp/client {VERSION}")
    return Path(shutil.copy(SCRIPT, folder))


class Person:
    """Somebody at that program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._kept: list[tuple[str, Any]] = []

    def do(self, deed: str, value: str | None = None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([deed, value]).encode() + b"\n")

    async def next(self, event: str) -> Any:
        """What comes with the next event of a kind; others are kept for who asks for them."""
        for position, (what, value) in enumerate(self._kept):
            if what == event:
                del self._kept[position]
                return value
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            while line := await self._process.stdout.readline():
                what, value = json.loads(line)
                if what == event:
                    return value
                assert what != "error", value
                self._kept.append((what, value))
        raise AssertionError("the program ended")

    async def element(self, event: str) -> Element:
        return parse_element(await self.next(event))

    async def text(self) -> str:
        """The body of the next message."""
        while (stanza := await self.element("stanza")).name != "message":
            pass
        return stanza.child_text("body")


@pytest.fixture
async def person(server: Any, program: Path) -> AsyncIterator[Callable[..., Any]]:
    """Makes people; nobody is online yet."""
    processes: list[asyncio.subprocess.Process] = []

    async def make(name: str, port: int = 0) -> Person:
        line = ["node", str(program), f"xmpp://localhost:{port or server.port}", name, "secret"]
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(server.certificate)}
        process = await asyncio.create_subprocess_exec(
            *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment
        )
        processes.append(process)
        return Person(process)

    yield make
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_one_request_and_then_a_token(person: Any) -> None:
    alice = await person("alice")
    alice.do("start")
    asked = await alice.element("authenticate")
    assert asked.get("mechanism") == "SCRAM-SHA-1"
    bind = asked.child("bind", BIND)
    assert bind is not None and bind.child("enable", SM) is not None
    success = await alice.element("success")
    assert success.child_text("authorization-identifier").startswith("alice@localhost/xmpp.js/")
    bound = success.child("bound", BIND)
    assert bound is not None and bound.child("enabled", SM) is not None
    assert bound.child("metadata", ARCHIVE) is not None
    assert success.child("token", FAST) is not None
    jid = await alice.next("online")
    alice.do("send", f"<message to='{jid}' type='chat'><body>to myself</body></message>")
    assert await alice.text() == "to myself"
    assert await alice.next("ack")

    alice.do("cut")
    await alice.next("disconnect")
    again = await alice.element("authenticate")
    assert again.get("mechanism") == "HT-SHA-256-NONE"
    assert again.child("resume", SM) is not None
    success = await alice.element("success")
    assert success.child("resumed", SM) is not None and success.child("bound", BIND) is None
    assert success.child_text("authorization-identifier") == jid
    await alice.next("resumed")


async def test_nothing_is_lost_when_connections_are_cut(person: Any) -> None:
    alice, bob = await person("carol"), await person("dave")
    jids = []
    for somebody in (alice, bob):
        somebody.do("start")
        jids.append(await somebody.next("online"))
        somebody.do("send", "<presence/>")
    expected = []
    for turn in range(5):
        alice.do("cut")
        for number in range(3):
            text = f"{turn}.{number}"
            bob.do("send", f"<message to='{jids[0]}' type='chat'><body>{text}</body></message>")
            expected.append(text)
        await alice.next("resumed")
        received = [await alice.text() for _ in range(3)]
        assert received == expected[-3:]
    alice.do("send", f"<message to='{jids[1]}' type='chat'><body>still there</body></message>")
    assert await bob.text() == "still there"


async def test_a_token_is_enough(server: Any, person: Any) -> None:
    """The session is over, as the stream was closed; the token isn't."""
    erin = await person("erin")
    erin.do("start")
    await erin.next("authenticate")
    await erin.next("online")
    erin.do("stop")
    await erin.next("disconnect")
    erin.do("start")
    asked = await erin.element("authenticate")
    assert asked.get("mechanism") == "HT-SHA-256-NONE" and asked.child("resume", SM) is None
    await erin.next("online")
