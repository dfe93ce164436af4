"""Programs that do nothing but serve: logging, Ctrl-C, and one line about what ends them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from chirrup.core.errors import ChirrupError


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run it until it ends, or until Ctrl-C. What is logged goes to standard error, unless the program has said where.

    A ChirrupError ends the program: with its text as one line on standard error and exit status 1, as SystemExit, whose
    `__cause__` it is."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(serving)
        except ChirrupError as error:
            called = Path(sys.argv[0]).name
            raise SystemExit(f"{called}: {error}" if called else str(error)) from error
