"""`chirrup check hooks`: which handlers of which modules stand at each point of a stanza's way, in their order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chirrup.cli.lines import listed
from chirrup.server import hooks, logs
from chirrup.server.app import Server
from chirrup.server.config import ComponentListener, Config, DirectTLSListener, HostConfig, Listen, Listener, LogConfig
from chirrup.server.host import Host
from chirrup.server.iq import describe


def report(config: Config) -> list[str]:
    """The handlers of each hook, and of IQs by their namespaces, host by host. ChirrupError where a host's modules
    can't be put together.

    The modules are started, in a server whose storage is empty and thrown away, and that listens nowhere but, if there
    are components, on a port that nobody knows of."""
    logs.configure(LogConfig(level="error"))
    with tempfile.TemporaryDirectory(prefix="chirrup-") as folder:
        return asyncio.run(_report(_harmless(config, Path(folder))))


def _harmless(config: Config, folder: Path) -> Config:
    nowhere = Listen(
        c2s=Listener(enabled=False),
        c2s_direct_tls=DirectTLSListener(enabled=False),
        component=ComponentListener(addresses=("127.0.0.1",), port=0),
    )
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
            yield from listed(f"  {hook.name:<22}  ", map(describe, handlers))
    answered: dict[str, dict[tuple[str, str, str], list[str]]] = {}
    for kind, name, ns, addressee, handler in host.iq.described():
        answered.setdefault(ns, {}).setdefault((kind, name, handler), []).append(addressee.lower())
    for ns in sorted({*answered, *host.iq.delegated}):
        yield f"  iq {ns}"
        if delegate := host.iq.delegated.get(ns):
            yield f"    instead of others {'':<17} {describe(getattr(delegate, 'func', delegate))}"
        for (kind, name, handler), addressees in answered.get(ns, {}).items():
            yield f"    {kind} {name:<12} to {', '.join(addressees):<18} {handler}"
