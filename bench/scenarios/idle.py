"""Sessions that are there and do nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from bench.client import close, connect, in_parallel
from bench.peers import Running
from bench.scenarios.result import Meter, Result
from chirrup.core.sasl import SaltedPasswords

_CLIENTS: Final = 5
"""Sessions of one account."""


async def idle(server: Running, *, sessions: int) -> Result:
    """So many TLS sessions that have logged in, each with keys that its client has derived before; a unit is a log-in.

    Then all become available, and what the server's memory has grown by is divided among them."""
    names = [f"idle{number}" for number in range(-(-sessions // _CLIENTS))]
    salted = await make_accounts(server, names)
    await asyncio.sleep(1)
    before = server.process.memory()
    meter = Meter(server)
    jobs = [
        connect(server.port, name, f"client{number}", salted=salted[name])
        for number in range(_CLIENTS)
        for name in names
    ]
    users = await in_parallel(jobs, most=32)
    result = meter.result("log-in", len(users))
    result.figures["log-ins a second"] = result.units / result.seconds
    for user in users:
        user.write(b"<presence/>")
    await in_parallel([user.settle() for user in users])
    result.lost = sum(user.lost for user in users)
    result.figures["KiB a session"] = (server.process.memory() - before) / len(users) / 1024
    close(users)
    return result


async def make_accounts(server: Running, names: list[str]) -> dict[str, SaltedPasswords]:
    """Make accounts; by name, the keys that their clients have derived."""
    salted: dict[str, SaltedPasswords] = {name: {} for name in names}
    await in_parallel([_make(server, name, salted[name]) for name in names], most=16)
    return salted


async def _make(server: Running, name: str, salted: SaltedPasswords) -> None:
    """Make the account; its client keeps the keys that it has derived."""
    close([await connect(server.port, name, register=True, salted=salted)])
