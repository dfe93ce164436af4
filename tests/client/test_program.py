"""Programs that do nothing but serve, and what they end with."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from chirrup.client.program import run
from chirrup.core.errors import AuthenticationError


@pytest.fixture
def level() -> Iterator[None]:
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


async def refused() -> None:
    logging.getLogger("echo").warning("nobody there")
    raise AuthenticationError("not-authorized", "the password is wrong", account="bot@localhost")


@pytest.mark.usefixtures("level")
def test_what_ends_it_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # nobody has said where log lines go
    monkeypatch.setattr(sys, "argv", ["/home/alice/echo.py"])
    with pytest.raises(SystemExit) as end:
        run(refused())
    assert end.value.code == "echo.py: bot@localhost: not-authorized: the password is wrong"
    assert isinstance(end.value.__cause__, AuthenticationError)
    assert "WARNING echo: nobody there" in capsys.readouterr().err


def test_the_programs_own_mistakes_keep_their_traceback() -> None:
    async def mistaken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(mistaken())


def test_ctrl_c_is_no_mistake() -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    run(interrupted())


def test_sigterm_leaves_time_to_part() -> None:
    parted = []

    async def serving() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            parted.append(True)

    run(serving())
    assert parted
