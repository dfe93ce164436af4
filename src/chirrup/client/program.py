"""Programs that do nothing but serve: logging, Ctrl-C, and one line about what ends them."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from chirrup.core.errors import ChirrupError


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run it until it ends, or until Ctrl-C or SIGTERM, which leave it time to part in order. What is logged goes to
    standard error, unless the program has said where.

    A ChirrupError ends the program: with its text as one line on standard error and exit status 1, as SystemExit, whose
    `__cause__` it is."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        try:
            asyncio.run(_until_stopped(serving))
        except ChirrupError as error:
            called = Path(sys.argv[0]).name
            raise SystemExit(f"{called}: {error}" if called else str(error)) from error


async def _until_stopped(serving: Coroutine[Any, Any, None]) -> None:
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # not on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await serving
