from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from chirrup.cli.which import command
from chirrup.server.config import load


@pytest.mark.parametrize(("path", "called"), [("", "venv/bin/chirrup"), ("venv/bin", "chirrup")])
def test_hints_name_the_program_as_the_shell_finds_it(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, path: str, called: str
) -> None:
    program = elsewhere / "venv" / "bin" / "chirrup"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "serve"])
    monkeypatch.setenv("PATH", str(elsewhere / path) if path else "")
    assert command(load(None, data=elsewhere / "data"), "user", "list") == f"{called} user list --data data"


def test_a_data_folder_that_is_made_is_told_of(chirrup: Any, elsewhere: Path) -> None:
    folder = elsewhere / "data"
    assert chirrup("user", "list", "--data", "data").err == f"making the data folder {folder}\n"
    assert chirrup("user", "list", "--data", "data").err == ""
