"""Every block of code in README and docs is true: programs run, configurations load, commands exist and do as shown."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from typer.main import get_command

from chirrup.cli.app import app
from chirrup.server.config import load, module_settings
from chirrup.server.modules import chosen, find

SYSTEM = {".venv/bin/pytest", "chown", "cp", "ejabberdctl", "journalctl", "mkdir", "rm", "sqlite3", "sudo", "systemctl"}
"""Programs that pages name and that aren't ours to test."""


def test_there_is_nothing_that_no_test_reads(languages: set[str]) -> None:
    assert languages <= {"console", "python", "sh", "text", "toml"}


def test_links_lead_to_files_that_are_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).is_file(), target


def test_programs_run(python: Any) -> None:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(python.text, python.page, "exec"), {"__name__": "__main__"})
    (said,) = re.findall(r"<body>(.*)</body>", python.text)
    assert output.getvalue() == f"{said}\n"


def test_configurations_are_taken_as_they_are(toml: Any, tmp_path: Path) -> None:
    file = tmp_path / "chirrup.toml"
    file.write_text(toml.text)
    config = load(file)
    for name, host in config.hosts.items():
        for module in chosen(host.modules_enabled, host.modules_disabled):
            module_settings(config, name, module, find(module, None).Settings)
    for module in config.modules:
        assert find(module, None).Settings.model_fields


def test_shell_scripts_are_ones(sh: Any) -> None:
    subprocess.run(["sh", "-n"], input=sh.text, text=True, check=True)


def test_commands_are_there_and_take_these_options(console: Any, root: Path) -> None:
    for line, _ in console.commands:
        program, *words = shlex.split(line.rpartition("| ")[2])
        if program.startswith("scripts/"):
            assert os.access(root / program, os.X_OK)
        elif program in ("chirrup", ".venv/bin/chirrup"):
            command: Any = get_command(app)
            while words and words[0] in getattr(command, "commands", ()):
                command = command.commands[words.pop(0)]
            assert not hasattr(command, "commands")
            options = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words if word.startswith("-")} <= options
        else:
            assert program in SYSTEM
