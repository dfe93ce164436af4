"""Clients that lose their connection and come back to their session: TLS, log-in, resumption."""

from __future__ import annotations

import re
from typing import Final

from bench.client import Connection, available, close, connect, in_parallel
from bench.peers import Running
from bench.scenarios.managed import CARBONS
from bench.scenarios.result import Meter, Result
from chirrup.core.features.resume import Management
from chirrup.core.sasl import SaltedPasswords

_ID: Final = re.compile(rb"<enabled\b[^>]*\bid=['\"]([^'\"]+)['\"]")


class Resumable:
    """An account's client, from one connection to the next."""

    def __init__(self, name: str, connection: Connection, salted: SaltedPasswords | None = None) -> None:
        self.name = name
        self.connection = connection
        self.management = Management()
        self.management.jid = connection.jid
        self._salted = SaltedPasswords() if salted is None else salted

    async def enable(self) -> None:
        """Switch stream management on; nothing is to come from now on but what is sent to it."""
        connection = self.connection
        connection.write(CARBONS)
        await connection.expect(b"carbons")
        came = bytearray()
        connection.write(b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        await connection.expect(b"<enabled", keep=came)
        if b">" not in came[came.find(b"<enabled") :]:
            await connection.expect(b">", keep=came)
        found = _ID.search(came)
        if found is None:
            raise RuntimeError(f"no session to come back to: {bytes(came)!r}")
        self.management.id = found[1].decode()

    async def come_back(self, port: int) -> None:
        """With another connection, once this one is cut."""
        self.connection.transport.abort()
        self.connection = await connect(port, self.name, management=self.management, salted=self._salted)


async def resume(server: Running, *, sessions: int, times: int) -> Result:
    """Each of so many clients loses its connection and comes back, so often; a unit is a session resumed."""
    names = [f"resume{n}" for n in range(sessions)]
    users = await available(server.port, names, tls=True)
    clients = [Resumable(name, user) for name, user in zip(names, users, strict=True)]
    await in_parallel([client.enable() for client in clients])
    await in_parallel([client.come_back(server.port) for client in clients], most=16)  # and derive their keys
    meter = Meter(server)
    for _ in range(times):
        await in_parallel([client.come_back(server.port) for client in clients], most=16)
    lost = sum(not client.management.id for client in clients)
    result = meter.result("session resumed", sessions * times, lost=lost)
    close([client.connection for client in clients])
    return result
