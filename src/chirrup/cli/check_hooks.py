"""`chirrup check hooks`: which handlers of which modules stand at each point of a stanza's way, in their order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chirrup.server import hooks, logs
from chirrup.server.app import Server
from chirrup.server.config import Config, DirectTLSListener, HostConfig, Listen, Listener, LogConfig
from chirrup.server.host import Host
from chirrup.server.iq import describe


def report(config: Config) -> list[str]:
    """A line for each hook and each kind of IQ that has a handler, host by host. ChirrupError where a host's modules
    can't be put together.

    The modules are started, in a server that listens nowhere and whose storage is empty and thrown away."""
    logs.configure(LogConfig(level="error"))
    with tempfile.TemporaryDirectory(prefix="chirrup-") as folder:
        return asyncio.run(_report(_harmless(config, Path(folder))))


def _harmless(config: Config, folder: Path) -> Config:
    nowhere = Listen(c2s=Listener(enabled=False), c2s_direct_tls=DirectTLSListener(enabled=False))
    without = {"certificate": None, "key": None}
    hosts: dict[str, HostConfig] = {name: host.model_copy(update=without) for name, host in config.hosts.items()}
    return config.model_copy(update={"data": folder, "store": "sqlite", "listen": nowhere, "hosts": hosts})


async def _report(config: Config) -> list[str]:
    server = Server(config)
    await server.start()
    try:
        return [line for host in server.hosts.values() for line in _host(host)]
    finally:
        await server.stop()


def _host(host: Host) -> Iterator[str]:
    yield f"host {host.name}"
    for hook in hooks.EVERY:
        handlers = getattr(host.hooks, hook.name)
        if handlers:
            yield f"  {hook.name:<21}  {', '.join(map(describe, handlers))}"
    for kind, name, ns, addressee, handler in host.iq.described():
        yield f"  iq {kind} <{name} xmlns='{ns}'/> to {addressee.lower()}  {handler}"
