from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chirrup.cli import main


@dataclass(frozen=True)
class Ran:
    """What a run of the command came to."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a folder of its own to be in, and finds no configuration but what it makes there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHIRRUP_CONFIG", raising=False)
    monkeypatch.setattr("chirrup.cli.which.PLACES", (Path("chirrup.toml"),))
    return tmp_path


@pytest.fixture
def chirrup(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs the command in this process; without a terminal, unless `stdin` is one."""

    def run(*args: str, stdin: str | io.TextIOBase = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["chirrup", *args])
        if isinstance(stdin, str):
            stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        monkeypatch.setattr(sys, "stdin", stdin)
        try:
            main()
        except SystemExit as end:
            status = end.code
        else:
            status = 0
        assert isinstance(status, int)
        return Ran(status, *capsys.readouterr())

    handlers = list(logging.getLogger().handlers)
    yield run
    logging.getLogger().handlers[:] = handlers


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal() -> type[io.StringIO]:
    """A standard input at which a person sits."""
    return Terminal
