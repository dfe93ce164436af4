"""Which configuration a command works with, and how the command line for the same one is written."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chirrup.server.config import Config

VARIABLE: Final = "CHIRRUP_CONFIG"
"""The environment variable that names a configuration file."""
PLACES: Final = (Path("chirrup.toml"), Path("/etc/chirrup/chirrup.toml"))
"""Where a configuration file is looked for when none is named."""


def load_config(config: Path | None, data: Path | None) -> Config:
    """The configuration that a command is to work with. Raises ConfigError."""
    from chirrup.server.config import load

    return load(config or next(filter(_is_there, PLACES), None), data=data)


def _is_there(place: Path) -> bool:
    """Whoever is in a folder that they may not look into, as after `sudo -u chirrup`, has no file there."""
    try:
        return place.is_file()
    except PermissionError:
        if place.is_absolute():
            raise
        return False


def command(config: Config, *words: str) -> str:
    """A command line for the same configuration and data folder, to be shown as a hint."""
    from chirrup.server.config import load

    line = [_program(), *words]
    if config.file and Path(config.file) not in PLACES:
        line += ["--config", config.file]
    if config.data != load(Path(config.file) if config.file else None).data:
        line += ["--data", _short(config.data)]
    return shlex.join(line)


def _program() -> str:
    """What the command has to be called by here: its path, where the shell wouldn't find it by its name."""
    called = Path(sys.argv[0])
    if called.name != "chirrup" or not called.is_file() or shutil.which("chirrup"):
        return "chirrup"
    return _short(called.absolute())


def _short(path: Path) -> str:
    """From the working directory, for what is in it."""
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown
