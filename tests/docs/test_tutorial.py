"""The tutorial, step by step: its commands are typed as they stand there, beside a server that runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "correct horse"


@pytest.fixture
def server(server_process: Callable[..., Any]) -> Any:
    """What `scripts/demo` runs, but on ports that are free. Its `data` is in the folder that commands are typed in."""
    server = server_process()
    server.start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def shell(server: Any) -> Callable[[str], str]:
    """Types a command where the server's data folder is; its output."""
    folder: Path = server.data.parent / "elsewhere"
    folder.mkdir()
    (folder / "data").symlink_to(server.data)

    def run(command: str) -> str:
        line = command.replace(".venv/bin/chirrup", f"{shlex.quote(sys.executable)} -m chirrup")
        ran = subprocess.run(
            ["sh", "-c", line], cwd=folder, input=f"{PASSWORD}\n", capture_output=True, text=True,
            env={name: value for name, value in os.environ.items() if name != "CHIRRUP_CONFIG"}, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
        return ran.stdout

    return run


def commands(tutorial: list[Any]) -> list[tuple[str, str]]:
    return [command for snippet in tutorial if snippet.language == "console" for command in snippet.commands]


def test_its_commands_do_as_it_says(tutorial: list[Any], shell: Callable[[str], str]) -> None:
    start, *others = commands(tutorial)
    assert start == ("scripts/demo", "")
    said = {command: (shell(command), shown) for command, shown in others}
    assert [(said, shown) for said, shown in said.values() if shown and said != shown] == []
    assert any(shown for _, shown in said.values())


@pytest.mark.needs("profanity", "tmux")
async def test_its_two_people_chat(
    tutorial: list[Any], shell: Callable[[str], str], server: Any, terminal: Callable[[str], Any]
) -> None:
    for command, _ in commands(tutorial):
        if " user add " in command:
            shell(command)
    typed = [line for snippet in tutorial if snippet.language == "text" for line in snippet.text.splitlines()]
    connect_alice, connect_bob, request_bob, allow_alice, request_alice, message = typed

    async def log_in(name: str, connect: str) -> Any:
        screen = terminal(name)
        await screen.run("profanity", env={})
        await screen.shows("Type '/help'")
        await screen.type(f"{connect} port {server.port}")
        await screen.shows("Enter password:")
        await screen.type(PASSWORD)
        await screen.shows("logged in successfully", "[TLS]")
        return screen

    alice, bob = await log_in("alice", connect_alice), await log_in("bob", connect_bob)
    await alice.type(request_bob)
    await bob.shows("Received authorization request from alice@localhost")
    await bob.type(allow_alice)
    await bob.type(request_alice)
    await alice.shows("authorization request from bob@localhost")
    await alice.type("/sub allow bob@localhost")
    await alice.shows("Accepted subscription for bob@localhost")
    await alice.type(message)
    await alice.shows("bob@localhost [online]", "me: Hello, Bob!")
    await bob.shows("chat message: alice@localhost")
    await bob.type("/quit")
    await alice.shows("bob@localhost [offline]")
    await alice.type("Are you there?")
    bob = await log_in("bob", connect_bob)
    await bob.shows("chat message: alice@localhost")
    await bob.type("/win 2")
    await bob.shows("Are you there?")
