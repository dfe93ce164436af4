"""Somebody who uses poezio, which trusts the server's self-made certificate and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("poezio", "tmux")

SETTINGS = """
[Poezio]
jid = alice@localhost
password = secret
custom_host = 127.0.0.1
custom_port = {port}
ca_cert_path = {certificate}
"""
NOBODY = 65534


@pytest.fixture
def home(server: Any) -> Iterator[Path]:
    """A home with poezio's settings, for whom poezio runs as; below pytest's folder root alone could reach it."""
    with tempfile.TemporaryDirectory(prefix="poezio-") as folder:
        home = Path(folder)
        settings = home / ".config" / "poezio" / "poezio.cfg"
        settings.parent.mkdir(parents=True)
        certificate = shutil.copy(server.certificate, home)
        settings.write_text(SETTINGS.format(port=server.port, certificate=certificate))
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        yield home


@pytest.fixture
async def poezio(terminal: Any, home: Path) -> Any:
    command = ["poezio"]
    if os.geteuid() == 0:  # it refuses to run as root
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    screen = terminal("alice")
    await screen.run(*command, env={"HOME": str(home), "TERM": "screen-256color"})
    await screen.shows("Authentication success.")
    return screen


async def test_chatting(poezio: Any, online: Any) -> None:
    bob = await online("bob")
    await poezio.keys("/")  # in the roster, where a letter would be a command
    await poezio.shows("│/")
    await poezio.keys("message bob@localhost hello bob")
    await poezio.shows("│/message bob@localhost hello bob")  # keys that come with others are a paste
    await poezio.enter()
    said = await bob.next("message", lambda message: message["body"])
    assert said["body"] == "hello bob"
    said.reply("hello alice").send()
    await poezio.shows("alice> hello bob", "bob> hello alice")
