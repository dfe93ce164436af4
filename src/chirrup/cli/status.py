"""`chirrup status`: what a running server says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chirrup.server.admin import ask


def show(socket: Path, *, as_json: bool) -> None:
    """Print it. ChirrupError when no server runs there."""
    status = ask(socket, "status")
    if as_json:
        print(json.dumps(status, indent=2))
        return
    console = Console(highlight=False)
    for name, value in _rows(status):
        console.print(Text(f"{name:12}", style="bold"), Text(value), soft_wrap=True)
    console.print(_hosts(status["hosts"], status["certificates"]))


def _rows(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "version", status["version"]
    yield "running for", str(timedelta(seconds=status["uptime_seconds"]))
    yield "connections", str(status["connections"])
    for kind, address, port in status["listening"]:
        yield "listens", f"{f'[{address}]' if ':' in address else address}:{port} ({kind})"
    for domain, connected in status["components"].items():
        yield "component", f"{domain} {'is connected' if connected else 'is away'}"
    store = status["store"]
    yield "store", store["url"]
    if not store.get("healthy", True):
        yield "", f"in trouble: {store['last_error']}"
    if held := store.get("held"):
        yield "", f"{held} messages wait in memory, unacknowledged, until they can be stored"


def _hosts(hosts: Mapping[str, Mapping[str, Any]], certificates: Mapping[str, int]) -> Table:
    table = Table("host", "sessions", "certificate", "modules")
    for name, host in hosts.items():
        days = certificates.get(name)
        left = "" if days is None else f"{days} days left"
        away = f" ({detached} away)" if (detached := host.get("detached")) else ""
        table.add_row(Text(name), f"{host.get('sessions', '')}{away}", left, Text(", ".join(host.get("modules", ()))))
    return table
