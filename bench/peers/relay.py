"""The bare relay, as a server to measure: what the machine can do at all."""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from bench.client import Connection
from bench.peers import Peer, Running
from bench.process import Process, free_port
from chirrup.net.tls import client_context

_VERSION: Final = f"on uvloop {metadata.version('uvloop')}"


def start(folder: Path, certificate: Path, key: Path) -> Running:
    port = free_port(count=2)
    command = [sys.executable, "-m", "bench.relay", str(port), str(certificate), str(key)]
    process = Process(command, cwd=Path(__file__).parents[2], log=folder / "output.log")
    return Running("relay", _VERSION, process, port, *process.wait_for_port(port))


async def join(server: Running, kind: str, number: int, *, tls: bool) -> Connection:
    """A sender ("S") or receiver ("R") of a pair; receivers come first."""
    context = client_context(verify=False, alpn=()) if tls else None
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        Connection, "127.0.0.1", server.port + tls, ssl=context, server_hostname="localhost" if tls else None
    )
    connection.write(f"{kind} {number}\n".encode())
    await connection.expect(b"ok\n")
    connection.jid = f"bob{number}@localhost/a-resource"
    return connection


RELAY: Final = Peer("relay", "", lambda: _VERSION, start)
