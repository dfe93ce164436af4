"""A server under measurement: its process, the CPU time that it has used, its memory."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


class Process:
    """A program with its children, ended by `stop`, or by the kernel when the thread that began it has ended, however
    that came about."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(_end_with, os.getpid()),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU time, user and system, of the process and all that it has begun.

        In nanoseconds for what still runs, in ticks of 10 ms for children that have ended."""
        return sum(_cpu_of(pid) for pid in self._family())

    def memory(self) -> int:
        """Octets that are resident now, of the process and its children."""
        return sum(_field(pid, "VmRSS") for pid in self._family()) * 1024

    def peak_memory(self) -> int:
        """The most octets that were ever resident."""
        return sum(_field(pid, "VmHWM") for pid in self._family()) * 1024

    def wait_for_port(self, port: int, *, seconds: float = 60) -> tuple[float, float]:
        """Wait until something listens there; seconds it took, and seconds of CPU time. If it comes to nothing, or is
        interrupted, the process is stopped."""
        try:
            return self._wait_for_port(port, seconds)
        except BaseException:
            self.stop()
            raise

    def _wait_for_port(self, port: int, seconds: float) -> tuple[float, float]:
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self._process.args!r} ended with {self._process.returncode}:\n{self._last_lines()}"
                )
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return time.monotonic() - began, self.cpu()
            time.sleep(0.002)
        raise RuntimeError(f"nothing listens on port {port} after {seconds} s:\n{self._last_lines()}")

    def stop(self, *, politely: bool = False) -> None:
        """End it, and what it has begun: at once, or politely first, where what it has stored is to be used again."""
        for sign, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 10))[0 if politely else 1 :]:
            if self._process.poll() is None:
                os.killpg(self.pid, sign)
                try:
                    self._process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
            return

    def _family(self) -> list[int]:
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents[int(entry.name)] = int(fields[1])
        family = [self.pid]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _end_with(parent: int) -> None:
    """In a child, before its program begins: the kernel is to kill it when its parent ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # which it has already
        os.kill(os.getpid(), signal.SIGKILL)


def _cpu_of(pid: int) -> float:
    """Its CPU clock, by the kernel's number for it (clock_getcpuclockid(3)), and what its ended children have used."""
    try:
        own = time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return own + sum(int(fields[index]) for index in (13, 14)) / _TICK


def _field(pid: int, name: str) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def free_port(*, count: int = 1) -> int:
    """A port that nobody uses now, and so many in a row of them."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return int(first)
