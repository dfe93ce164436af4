"""The `chirrup` command. `main` is its entry point; what a command needs is imported when it is called."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from pathlib import Path
from typing import Final

_WITHOUT_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What writing fails with to a file that is open, such as standard output: such errors don't tell its name."""


def main() -> None:
    """Run the command line. What an operator did wrong is told in lines on standard error: exit status 1, or 2 where
    the command line itself is wrong."""
    from chirrup.core.errors import ChirrupError

    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - somebody has closed it
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it: names may be in any script
    try:
        try:
            _run(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except ChirrupError as error:
        complaint = str(error)
    except KeyboardInterrupt:  # as Typer does, which the server isn't started by
        sys.exit(130)
    except BrokenPipeError:
        complaint = ""  # whoever reads has read enough
        _drop_output()
    except OSError as error:
        if error.filename is None and error.errno not in _WITHOUT_ROOM:
            raise
        complaint = f"{error.filename or 'what is to be written'}: {error.strerror}"
        _drop_output()
    else:
        return
    for line in complaint.splitlines():
        print(f"chirrup: {line}", file=sys.stderr)
    sys.exit(1)


def _drop_output() -> None:
    """What standard output still holds goes nowhere: at the end Python would try once more to write it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
