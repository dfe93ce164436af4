"""Runs scenarios on servers: a fresh server each time, the servers in turn, all that as often as asked for."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.machine import describe
from bench.peers import Peer, Running
from bench.report import LIMIT, Report, Run
from bench.scenarios import Result, Scenario
from chirrup.net import certificates

_LONGEST = 900.0
"""Seconds after which a run has failed."""


def measure(peers: list[Peer], chosen: dict[str, Scenario], runs: int, scale: float) -> Report:
    """Tells on the error output how it goes. A run that fails is named in the report, and the others go on."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = Report(describe(), {peer.name: peer.version() or "" for peer in peers}, [scale])
    for number in range(runs):
        for name, scenario in chosen.items():
            for peer in peers:
                if peer.name == LIMIT and not scenario.relay:
                    continue
                line = f"run {number + 1}: {name}: {peer.name}"
                try:
                    result, server = run(peer, scenario)
                except (OSError, RuntimeError, TimeoutError) as error:
                    _say(f"{line}: failed: {type(error).__name__} {error}")
                    report.failures.append(" ".join([f"{line}: {type(error).__name__}", *str(error).splitlines()[-1:]]))
                    continue
                report.runs.append(Run(name, peer.name, result, server.started_in, server.started_with))
                _say(f"{line}: {_summary(result)}")
    return report


def run(peer: Peer, scenario: Scenario) -> tuple[Result, Running]:
    """One scenario on a server that is started for it, and has ended when this returns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        pair = certificates.make("localhost", folder, time.time())
        server = peer.start(folder, pair.certificate, pair.key)
        gc.collect()
        gc.disable()  # the generator's own pauses would be taken for the server's
        try:
            return uvloop.run(_bounded(scenario, server)), server
        finally:
            gc.enable()
            server.process.stop()


async def _bounded(scenario: Scenario, server: Running) -> Result:
    async with asyncio.timeout(_LONGEST):
        return await scenario.work(server)


def _summary(result: Result) -> str:
    parts = [
        f"{result.cpu_us:.1f} µs a {result.unit}",
        f"{result.units / result.seconds:,.0f}/s",
        f"lost {result.lost}",
    ]
    parts += [f"{key} {value:.2f}" for key, value in result.figures.items()]
    return ", ".join(parts) + (" (the generator was the limit of throughput)" if result.generator_was_limit else "")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
