"""`serve()`: a whole server inside a test or a program, with clients to talk to it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chirrup.core.jid import JID
from chirrup.core.sasl import derive_keys
from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.net.clock import Clock
from chirrup.server.app import Server
from chirrup.server.auth import ALGORITHMS
from chirrup.server.config import Config
from chirrup.testing.client import TestClient

if TYPE_CHECKING:
    from chirrup.client.client import Client

PASSWORD = "secret"
"""The password of accounts that are made without one."""


class TestServer:
    """A running server on ports that the system chose. Made by `serve()`."""

    __test__ = False

    def __init__(self, server: Server) -> None:
        self.server = server
        self.domain = next(iter(server.hosts))
        """The first host."""
        self._clients: list[TestClient] = []

    def port(self, kind: str = "c2s") -> int:
        """The port of a listener: "c2s", "c2s_direct_tls" or "component"."""
        return next(port for name, _, port in self.server.listening if name == kind)

    async def add_account(self, jid: str, password: str = PASSWORD) -> None:
        """Make an account, unless it is there. Its keys are cheap to make and to check."""
        account = self._jid(jid).bare
        if not await self.server.store.accounts.exists(account.domain, account.local):
            keys = [derive_keys(name, password, account.local.encode() * 8, 4096) for name in ALGORITHMS]
            await self.server.store.accounts.create(
                account.domain, account.local, keys, created=self.server.clock.time()
            )

    async def client(
        self, jid: str, password: str = PASSWORD, *, presence: bool = False, tls: bool = False, direct_tls: bool = False
    ) -> TestClient:
        """A client that has logged in as `jid` (a localpart, a bare or a full JID), whose account is made if need be.

        With `presence` it is available too, and what that brought has been received and dropped."""
        full = self._jid(jid)
        if not self.server.hosts[full.domain].anonymous:
            await self.add_account(full.bare.text, password)
        client = await self.raw(direct_tls=direct_tls)
        credentials = Credentials(full.local, password)
        policy = ClientPolicy(credentials, full.resource, tls_required=tls, reads_archive=False)
        await client.log_in(policy, full.domain)
        if presence:
            client.send("<presence/>")
            await client.settle()
            client.received.clear()
        return client

    async def sdk(self, jid: str, password: str = PASSWORD, **options: Any) -> Client:
        """A client of the SDK for that account, which is made if need be; not connected yet. `options` are those of
        `Client`.

            async with await server.sdk("alice") as alice: …"""
        from chirrup.client.client import Client

        full = self._jid(jid)
        await self.add_account(full.bare.text, password)
        return Client(full, password, **{"host": "127.0.0.1", "port": self.port(), "verify": False, **options})

    async def guest(self, domain: str) -> TestClient:
        """A client of an anonymous host."""
        client = await self.raw()
        await client.log_in(ClientPolicy(Credentials(), tls_required=False), domain)
        return client

    async def raw(self, *, direct_tls: bool = False) -> TestClient:
        """A connection on which nothing has been sent."""
        port = self.port("c2s_direct_tls" if direct_tls else "c2s")
        client = await TestClient.connect("127.0.0.1", port, direct_tls=direct_tls)
        self._clients.append(client)
        return client

    def _jid(self, text: str) -> JID:
        local, slash, resource = text.partition("/")
        return JID((local if "@" in local else f"{local}@{self.domain}") + slash + resource)

    def drop_clients(self) -> None:
        for client in self._clients:
            client.drop()


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings laid over others."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


@asynccontextmanager
async def serve(
    settings: Mapping[str, Any] | None = None, *, data: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[TestServer]:
    """Run a server until the block ends: for localhost, on free ports of the loopback address, with plaintext allowed.

    `settings` are those of the configuration file, as nested dicts, and are laid over these. `data` is the folder to
    keep things in, a temporary one if left out."""
    with tempfile.TemporaryDirectory() as folder:
        listener = {"addresses": ["127.0.0.1"], "port": 0}
        base = {
            "data": str(data or folder),
            "listen": {"c2s": {**listener, "plaintext": True}, "c2s_direct_tls": listener, "component": listener},
        }
        server = Server(Config.model_validate(merge(base, settings or {})), clock=clock)
        await server.start()
        running = TestServer(server)
        try:
            yield running
        finally:
            running.drop_clients()
            await server.stop()
