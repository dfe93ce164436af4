"""Sessions whose client has lost its connection, and may come back."""

from __future__ import annotations

import asyncio
from typing import Final

from bench.client import connect, in_parallel
from bench.peers import Running
from bench.scenarios.idle import make_accounts
from bench.scenarios.result import Meter, Result
from bench.scenarios.resume import Resumable
from chirrup.core.sasl import SaltedPasswords

_CLIENTS: Final = 5
"""Sessions of one account, as those of `idle`."""
_WAVES: Final = 10
_WARM: Final = 3
"""Waves before the one from which memory is taken."""


async def detached(server: Running, *, sessions: int, pause: float = 0.5) -> Result:
    """So many TLS sessions with stream management and carbons, available, that are cut and kept by the server.

    They come in ten waves: a connection's memory goes with it, but a process seldom gives such memory back to the
    system, and the next wave's connections use it. So what resident memory grows by from wave to wave is the detached
    sessions alone. It is taken from the end of the third wave, by when connections have all the memory that they need.
    In each `pause` seconds a server passes presences on, or notices that connections were reset. Every tenth session
    is resumed in the end; those that can't be are lost. A unit is a session's log-in and loss."""
    accounts = max(_WAVES, sessions // _CLIENTS)
    names = [f"detached{number}" for number in range(accounts)]
    salted = await make_accounts(server, names)
    meter = Meter(server)
    memory, clients = [], []
    for wave in range(_WAVES):
        clients += await _wave(server, {name: salted[name] for name in names[wave::_WAVES]}, pause)
        memory.append((len(clients), server.process.memory()))
    result = meter.result("session", len(clients))
    (warm, then), (last, now) = memory[_WARM - 1], memory[-1]
    result.figures["KiB a session"] = (now - then) / (last - warm) / 1024
    result.lost = sum(await in_parallel([_is_lost(server, client) for client in clients[::10]], most=16))
    return result


async def _wave(server: Running, salted: dict[str, SaltedPasswords], pause: float) -> list[Resumable]:
    """Log all clients of some accounts in; once they have heard of each other and nothing more comes, make their
    sessions resumable and cut them."""
    jobs = [
        connect(server.port, name, f"client{number}", salted=keys)
        for name, keys in salted.items()
        for number in range(_CLIENTS)
    ]
    users = await in_parallel(jobs, most=32)
    for user in users:
        user.write(b"<presence/>")
    await in_parallel([user.settle() for user in users])
    await asyncio.sleep(pause)
    owners = [(name, keys) for name, keys in salted.items() for _ in range(_CLIENTS)]
    clients = [Resumable(name, user, keys) for (name, keys), user in zip(owners, users, strict=True)]
    await in_parallel([client.enable() for client in clients])
    for user in users:
        user.transport.abort()
    await asyncio.sleep(pause)
    return clients


async def _is_lost(server: Running, client: Resumable) -> bool:
    try:
        await client.come_back(server.port)
    except RuntimeError:
        return True
    client.connection.close()
    return not client.management.id
