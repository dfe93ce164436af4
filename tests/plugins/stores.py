"""The store of the server whose configuration is in the working directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chirrup.server.config import load
from chirrup.store import Store


def stored(work: Callable[[Store], Awaitable[Any]]) -> Any:
    """Ask it, while no loop runs."""

    async def run() -> Any:
        store = await Store.open(load(Path("chirrup.toml")).store_url)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())
