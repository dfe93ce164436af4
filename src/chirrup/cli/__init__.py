"""The `chirrup` command. `main` is its entry point; what a command needs is imported when it is called."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line. What an operator did wrong is told in lines on standard error: exit status 1, or 2 where
    the command line itself is wrong."""
    from chirrup.core.errors import ChirrupError

    try:
        _run(sys.argv[1:])
    except ChirrupError as error:
        complaint = str(error)
    except OSError as error:
        if error.filename is None:
            raise
        complaint = f"{error.filename}: {error.strerror}"
    else:
        return
    for line in complaint.splitlines():
        print(f"chirrup: {line}", file=sys.stderr)
    sys.exit(1)


def _run(arguments: list[str]) -> None:
    """`serve` goes without Typer where that isn't needed: a server would start a third later with it."""
    options = plain_options(arguments[1:]) if arguments[:1] == ["serve"] else None
    if options is None:
        from chirrup.cli.app import app

        app()
    else:
        gc.disable()  # until the server runs: nothing of what it loads is garbage
        from chirrup.cli.serve import run
        from chirrup.cli.which import load_config

        run(load_config(*options))


def plain_options(arguments: list[str]) -> tuple[Path | None, Path | None] | None:
    """The configuration file and the data folder that options name, as Typer would find them; None for what is best
    left to Typer: wrong options, questions for help, and whatever isn't written in the usual way."""
    from chirrup.cli.which import VARIABLE

    given = {"--config": os.environ.get(VARIABLE), "--data": None}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        name = {"-c": "--config", "-d": "--data"}.get(name, name) if not equals else name
        if not equals:
            value = next(rest, "")
        if name not in given or not value or value.startswith("-"):
            return None
        given[name] = value
    config, data = (Path(value) if value else None for value in given.values())
    return config, data
