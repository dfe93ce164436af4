"""What one run of a scenario finds, and how it is taken.

Every figure of CPU time is the server's, over the time in which the units were processed; the generator's own is taken
too, so that it is known when that was the limit.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers import Running


@dataclass(slots=True)
class Result:
    """What one run of a scenario found."""

    unit: str
    units: int
    seconds: float
    cpu: float
    """Seconds of the server's CPU time."""
    generator_cpu: float
    generator_waited: float = 0.0
    """Seconds in which the generator would have run, if nothing else had."""
    lost: int = 0
    peak_memory: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    """Further figures by name: latencies in ms, KiB a session."""

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU time a unit."""
        return self.cpu / self.units * 1e6 if self.units else 0.0

    @property
    def generator_was_limit(self) -> bool:
        """The generator was busy all the time, and busier than the server: throughput says nothing of the server."""
        return self.generator_cpu + self.generator_waited > 0.95 * self.seconds and self.generator_cpu > self.cpu


class Meter:
    """Takes the server's and the generator's CPU time over a stretch of work."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._cpu = server.process.cpu()
        self._own = time.process_time()
        self._waited = _waited()
        self._began = time.perf_counter()

    def result(self, unit: str, units: int, *, lost: int = 0, **figures: float) -> Result:
        seconds = time.perf_counter() - self._began
        own = time.process_time() - self._own
        process = self._server.process
        waited = _waited() - self._waited
        cpu, memory = process.cpu() - self._cpu, process.peak_memory()
        return Result(unit, units, seconds, cpu, own, waited, lost, memory, dict(figures))


def _waited() -> float:
    """Seconds that this process has been ready to run while others ran, as the scheduler counts them."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


@dataclass(frozen=True, slots=True)
class Scenario:
    """An entry of the table."""

    work: Callable[[Running], Awaitable[Result]]
    relay: bool = False
    """Whether the bare relay can do it too."""
    variants: bool = False
    """Whether variants of servers, which store messages in another way, are measured too."""
    prepare: Callable[[Running], Awaitable[dict[str, float]]] | None = None
    """What fills a server's folder, once; each run is then of a server that is started with what is in it. What it
    returns are figures of each of those runs."""
    once: bool = False
    """It takes so long that it is done in the first run only."""
