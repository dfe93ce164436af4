from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chirrup import __version__
from chirrup.core.accelerator import FORM

SLOW_TO_IMPORT = ("sqlalchemy", "alembic", "cryptography", "uvloop", "rich.table")


def test_version(chirrup: Any) -> None:
    assert chirrup("version").out == f"chirrup {__version__} (parser: {FORM})\n"


def test_a_command_imports_only_what_it_needs() -> None:
    program = (
        "import sys\nsys.argv = ['chirrup', 'version']\nfrom chirrup.cli import main\n"
        f"try: main()\nfinally: print([name for name in {SLOW_TO_IMPORT!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_server_starts_without_what_only_commands_and_migrations_need() -> None:
    program = (
        "import sys, chirrup.cli.serve\nfrom chirrup.server.modules import DEFAULT, find\n"
        "for name in DEFAULT: find(name, None)\n"
        "print([name for name in ('typer', 'rich', 'alembic', 'psycopg') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("command", ["--help", "user list"])
def test_output_that_goes_nowhere(elsewhere: Path, command: str, buffered: str) -> None:
    """A full disk is told of in one line; who has read enough, as `head` does, needs to be told nothing."""
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    (elsewhere / "chirrup.toml").write_text('data = "data"\n[hosts.localhost]\n')
    (elsewhere / "data").mkdir()
    words = [sys.executable, "-m", "chirrup.cli", *command.split()]
    if command == "user list":
        add = [*words[:-1], "add", "alice@localhost"]
        subprocess.run(add, input="secret\n", capture_output=True, text=True, check=True, cwd=elsewhere)
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, cwd=elsewhere, env=environment)
    assert (ran.returncode, ran.stderr) == (1, "chirrup: what is to be written: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=elsewhere, env=environment)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_names_that_the_terminal_cannot_show(elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text('data = "data"\n[hosts."bücher.example"]\n', "utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", "chirrup.cli", "check", "config"]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=elsewhere, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "host   b\\xfccher.example: accounts" in ran.stdout


def test_a_wrong_command_line(chirrup: Any) -> None:
    assert chirrup("dance").status == 2
    assert chirrup("user", "show").status == 2


def test_the_configuration_that_is_used(chirrup: Any, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def used(*args: str) -> str:
        return str(chirrup("check", "config", *args).err).split(":")[1].strip()

    for name in ("chirrup.toml", "env.toml", "given.toml"):
        (elsewhere / name).write_text("x = 1")
    assert used() == "chirrup.toml"
    monkeypatch.setenv("CHIRRUP_CONFIG", "env.toml")
    assert used() == "env.toml"
    assert used("--config", "given.toml") == "given.toml"


def test_every_fault_of_a_configuration_is_a_line_and_nothing_starts(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text('data = "data"\nx = 1\n[log]\nlevel = 3\n')
    for command in (["serve"], ["check", "config"], ["status"], ["reload"], ["user", "list"]):
        ran = chirrup(*command)
        assert ran.status == 1
        assert [line.split(": ")[:3] for line in ran.err.splitlines()] == [
            ["chirrup", "chirrup.toml:2", "x"],
            ["chirrup", "chirrup.toml:4", "log.level"],
        ]
    assert not (elsewhere / "data").exists()


@pytest.mark.parametrize("command", ["status", "reload"])
def test_without_a_server_there_is_nobody_to_ask(chirrup: Any, elsewhere: Path, command: str) -> None:
    ran = chirrup(command, "--data", "data")
    assert (ran.status, ran.err) == (1, f"chirrup: no server runs with this data folder: {elsewhere / 'data'}\n")


def test_ctrl_c_while_the_server_starts(chirrup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(config: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chirrup.cli.serve.run", interrupted)
    ran = chirrup("serve")
    assert (ran.status, ran.err) == (130, "")
