"""`chirrup serve` reads its usual options without Typer, and must find in them what Typer would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chirrup.cli import plain_options
from chirrup.cli.app import app


def by_typer(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What Typer hands to the command; None if it refuses, or answers itself."""
    found: list[Any] = []
    monkeypatch.setattr("chirrup.cli.app.load_config", lambda *options: options)
    monkeypatch.setattr("chirrup.cli.serve.run", found.append)
    CliRunner().invoke(app, ["serve", *arguments])
    return found[0] if found else None


@pytest.mark.parametrize("variable", [None, "", "other.toml"])
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--config", "a.toml"],
        ["--config=a.toml"],
        ["-c", "a.toml"],
        ["--data", "data"],
        ["--data=da=ta"],
        ["-d", "/data", "--config", "a b.toml"],
        ["-c", "a.toml", "--config", "b.toml"],
    ],
)
def test_usual_options(arguments: list[str], variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable is not None:
        monkeypatch.setenv("CHIRRUP_CONFIG", variable)
    found = plain_options(arguments)
    assert found is not None
    assert found == by_typer(arguments, monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--config"],
        ["-c"],
        ["--data="],
        ["--data", "-c"],
        ["now"],
        ["--dance"],
        ["--data", "x", "y"],
        ["-cx"],
    ],
)
def test_what_is_left_to_typer(arguments: list[str]) -> None:
    assert plain_options(arguments) is None


@pytest.mark.parametrize("arguments", [["--config"], ["--dance"], ["now"], ["--data", "data", "y"]])
def test_wrong_options_are_told_of(chirrup: Any, arguments: list[str]) -> None:
    ran = chirrup("serve", *arguments)
    assert ran.status == 2
    assert "Error" in ran.err


def test_a_server_loads_nothing_for_people_and_no_other_database() -> None:
    unwanted = ("typer", "alembic", "asyncpg", "sqlalchemy.dialects.postgresql")
    program = f"import sys, chirrup.cli.serve; print([name for name in {unwanted!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_configuration_that_is_named(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "other.toml").write_text("x = 1")
    assert chirrup("serve", "-c", "other.toml").err.startswith("chirrup: other.toml:1: x")
