"""Where the command line gets passwords from: a prompt, standard input, or, with a warning, its arguments."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from typing import Final

from chirrup.core.errors import ChirrupError
from chirrup.core.sasl import prepare_password

_TRIES: Final = 3


def new_password(given: str | None, whose: str) -> str:
    """A password that an account can have. Raises ChirrupError."""
    if given is not None:
        print(
            "chirrup: --password can be seen by other users of this machine, and stays in the shell's history",
            file=sys.stderr,
        )
        return usable(given)
    if sys.stdin.isatty():
        return _ask(whose)
    line = sys.stdin.readline()
    if not line:
        raise ChirrupError("no password: there is no terminal to ask at, and nothing on standard input")
    return usable(line.rstrip("\r\n"))


def usable(password: str) -> str:
    """The password, prepared by OpaqueString. Raises ChirrupError, without the password in it."""
    try:
        return prepare_password(password)
    except ValueError as error:
        raise ChirrupError(str(error)) from None


def _ask(whose: str) -> str:
    for _ in range(_TRIES):
        first = usable(getpass(f"Password for {whose}: "))
        if getpass("Once more: ") == first:
            return first
        print("These were not the same.", file=sys.stderr)
    raise ChirrupError("no password was given twice the same")


def login_password(jid: str, *, from_terminal: bool) -> str:
    """What to log in with: from the environment, else asked for where somebody can be asked. Raises ChirrupError."""
    given = os.environ.get("CHIRRUP_PASSWORD", "")
    if given:
        return given
    if not from_terminal or not sys.stdin.isatty():
        raise ChirrupError(f"no password for {jid}: put it into the environment, as CHIRRUP_PASSWORD")
    return getpass(f"Password for {jid}: ")
