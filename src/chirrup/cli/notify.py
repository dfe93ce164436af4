"""What tells others that the server runs: systemd's readiness protocol and the pid file."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from chirrup.core.errors import ConfigError


def notify(*lines: str) -> None:
    """Tell systemd about the service's state, where systemd started it and asked for that (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection, contextlib.suppress(OSError):
        connection.sendto("\n".join(lines).encode(), address)


def ready(status: str) -> None:
    notify("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")


def reloading() -> None:
    """`ready` has to follow. The time is how systemd tells this reload from another (systemd.service(5))."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    notify("STOPPING=1")


@contextlib.contextmanager
def pid_file(path: Path | None) -> Iterator[None]:
    """Have the process id in a file while this lasts. ConfigError where it can't be written."""
    if path is None:
        yield
        return
    text = f"{os.getpid()}\n"
    try:
        path.write_text(text)
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}", key="pid_file") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == text:
                path.unlink()
