"""The `chirrup` command. `main` is its entry point; what a command needs is imported when it is called."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. What an operator did wrong is told in lines on standard error: exit status 1, or 2 where
    the command line itself is wrong."""
    from chirrup.cli.app import app
    from chirrup.core.errors import ChirrupError

    try:
        app()
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
