"""The servers under measurement, each with a configuration that asks the same of it.

All serve `localhost`, take STARTTLS with the same certificate (P-256), let anybody register, keep accounts and offline
messages on disk in the way they do by default, and have their limits on rates lifted.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.process import Process


def debian_version(package: str) -> str:
    """The upstream version of an installed package."""
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition("-")[0] or "unknown"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    name: str
    version: str
    process: Process
    port: int
    started_in: float
    """Seconds from the start of the process until its port was open."""
    started_with: float
    """Seconds of CPU time that this took."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A kind of server."""

    name: str
    package: str
    """Debian's package, "" for none."""
    version: Callable[[], str | None]
    """Its version, None where it isn't installed."""
    start: Callable[[Path, Path, Path], Running]
    """Start it with a folder, empty or of its own from before, a certificate and its key."""
    variant: bool = False
    """It differs from another only in how it stores messages, and is measured only where a scenario asks for it."""
