"""Programs that people look at: each in a terminal of its own (tmux), typed into and read like a person would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

TIMEOUT = 30.0
"""Seconds after which a text isn't waited for any more: a fault, never a measurement."""
_LOOK = 0.05
"""Seconds between two looks at a screen: nothing tells when it changes."""
_WIDTH, _HEIGHT = "150", "50"


class Terminal:
    """A program in a terminal, whose home is a folder of its own."""

    def __init__(self, folder: Path, server: Path) -> None:
        self.home = folder
        self._tmux = ("tmux", "-S", str(server), "-f", "/dev/null")

    async def run(self, *command: str, env: Mapping[str, str]) -> None:
        """Start the program; `env` is added to a bare environment."""
        environment = {
            "HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/games", "TERM": "screen",
            "LANG": "C.UTF-8", **env,
        }  # fmt: skip
        variables = [f"{name}={value}" for name, value in environment.items()]
        await self._do("new-session", "-d", "-x", _WIDTH, "-y", _HEIGHT, "env", "-i", *variables, *command)

    async def type(self, line: str) -> None:
        """Type a line, and Enter."""
        await self.keys(line)
        await self.enter()

    async def keys(self, characters: str) -> None:
        """Type some characters."""
        await self._do("send-keys", "-l", characters)

    async def enter(self) -> None:
        await self._do("send-keys", "Enter")

    async def screen(self) -> str:
        """What is on the screen now, without blanks at the ends of lines."""
        return await self._do("capture-pane", "-p", "-J")

    async def shows(self, *texts: str) -> None:
        """Wait until all these texts are on the screen at once."""
        screen = ""
        try:
            async with asyncio.timeout(TIMEOUT):
                while not all(text in screen for text in texts):
                    await asyncio.sleep(_LOOK)
                    screen = await self.screen()
        except TimeoutError:
            pytest.fail(f"not all of {texts} came on this screen:\n{screen}", pytrace=False)

    async def close(self) -> None:
        """End the program with its terminal. By force: poezio would live on without one, and keep a core busy."""
        asked = await self._process("display-message", "-p", "#{pane_pid}")
        out, _ = await asked.communicate()
        ending = await self._process("kill-server")
        await ending.communicate()
        if out.strip():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(out), signal.SIGKILL)

    async def _do(self, *command: str) -> str:
        process = await self._process(*command)
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode() or out.decode()
        return out.decode()

    async def _process(self, *command: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*self._tmux, *command, stdout=pipe, stderr=pipe)


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Callable[[str], Terminal]]:
    """Makes terminals, by a name, and closes them with the test. One that is made twice has the same home."""
    made: list[Terminal] = []
    with tempfile.TemporaryDirectory(prefix="tmux-") as sockets:  # whose paths must be short

        def make(name: str) -> Terminal:
            home = tmp_path / name
            home.mkdir(exist_ok=True)
            made.append(Terminal(home, Path(sockets) / str(len(made))))
            return made[-1]

        yield make
        for each in made:
            await each.close()
