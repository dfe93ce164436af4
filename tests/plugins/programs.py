"""`chirrup serve` as people run it: a process of its own, with its own data folder, on ports that the system chose."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TIMEOUT = 30.0
"""Seconds after which a wait for the server's process is given up: a fault, never a measurement."""

_CONFIG = """
data = "data"
store = "{store}"
{extra}
[listen.c2s]
addresses = ["127.0.0.1"]
port = 0
plaintext = {plaintext}
[listen.c2s_direct_tls]
addresses = ["127.0.0.1"]
port = 0
"""


def store_of(data: Path) -> str:
    """Where the server with this data folder keeps what it stores, as the configuration says it."""
    return "sqlite"


class ServerProcess:
    """One data folder, and the processes that serve it, one after the other."""

    def __init__(self, folder: Path, *, plaintext: bool = False, store: str = "", extra: str = "") -> None:
        """`extra` are lines of the configuration file, before its first table."""
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "chirrup.toml"
        store = store or store_of(folder / "data")
        self.config.write_text(_CONFIG.format(plaintext=str(plaintext).lower(), store=store, extra=extra))
        self.data = folder / "data"
        self.certificate = self.data / "certificates" / "localhost.crt"
        self.port = 0
        self.direct_tls_port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._log = folder / "log"
        self._read_up_to = 0

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # -- life

    def start(self) -> None:
        """Start it and wait until it serves. AssertionError with its log where it ends instead."""
        self._read_up_to += len(self.log)
        process = self._popen()
        self.process = process
        out = self._greeting(process)
        ports = dict(re.findall(r"clients, (STARTTLS|direct TLS): port (\d+) ", out))
        self.port, self.direct_tls_port = int(ports["STARTTLS"]), int(ports["direct TLS"])

    def refuses_to_start(self) -> str:
        """Start it, see that it ends with a failure, and return what it said of that."""
        process = self._popen(stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 1, err.decode()
        return err.decode()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
        return process.returncode

    def _popen(self, stderr: int | None = None) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._line("serve"), stdout=subprocess.PIPE, stderr=stderr or log, env=_environment()
            )

    def _greeting(self, process: subprocess.Popen[bytes]) -> str:
        """What it says when it is ready, up to the last of the lines that matter."""
        assert process.stdout is not None
        deadline = time.monotonic() + TIMEOUT
        out = b""
        while b"\n  configuration: " not in out:
            readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(process.stdout.fileno(), 65_536) if readable else b""
            assert data, f"the server didn't start: {out.decode()}\n{self.log}"
            out += data
        return out.decode()

    # -- around it

    @property
    def log(self) -> str:
        """What it has logged since the last start, as far as that isn't forgotten."""
        try:
            return self._log.read_text()[self._read_up_to :]
        except FileNotFoundError:
            return ""

    def forget_log(self) -> None:
        """Let what it has logged up to now be as if it were not."""
        self._read_up_to += len(self.log)

    @property
    def complaints(self) -> list[str]:
        """The lines of its log that an operator would look into, with what belongs to them."""
        return [
            line
            for line in self.log.splitlines()
            if not re.match(r"\S+ \S+ (debug|info) ", line) and "is self-made" not in line
        ]

    def command(self, *words: str, stdin: str = "") -> str:
        """Run `chirrup WORDS` for this server; its output. It has to succeed."""
        ran = subprocess.run(
            self._line(*words), input=stdin, capture_output=True, text=True, timeout=TIMEOUT, env=_environment()
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def add_accounts(self, *names: str, password: str = "secret") -> None:
        """Make accounts on localhost, all with one password."""
        lines = "".join(f"{name}@localhost,{password}\n" for name in names)
        self.command("user", "add", "--from", "-", stdin=lines)

    def _line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "chirrup.cli", *words, "--config", str(self.config)]


def _environment() -> dict[str, str]:
    """Without what would make the server think that systemd started it."""
    return {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Makes servers that are processes of their own, not started yet, and ends them with the test."""
    made: list[ServerProcess] = []

    def make(name: str = "server", **settings: object) -> ServerProcess:
        made.append(ServerProcess(tmp_path / name, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.kill()
