"""Runs scenarios on servers: a fresh server each time, the servers in turn, all that as often as asked for."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import uvloop

from bench.peers import Peer, Running
from bench.report import LIMIT, Report, Run
from bench.scenarios import Result, Scenario
from chirrup.net import certificates

T = TypeVar("T")
_LONGEST = 900.0
"""Seconds after which a run has failed."""


def measure(
    peers: list[Peer],
    chosen: dict[str, Scenario],
    runs: int,
    report: Report,
    *,
    found: Callable[[Report], object] = lambda report: None,
) -> None:
    """Adds to a report what it lacks of so many runs of each scenario, and tells on the error output how it goes.
    `found` is called with it after each run. A run that fails is named in the report, and the others go on."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="bench-") as prepared:
        for number, name, peer in _plan(peers, chosen, runs):
            if len(report.of(name, peer.name)) > number:
                continue
            line = f"run {number + 1}: {name}: {peer.name}"
            try:
                result, server = run(peer, chosen[name], Path(prepared, f"{name}, {peer.name}"))
            except (OSError, RuntimeError, TimeoutError) as error:
                _say(f"{line}: failed: {type(error).__name__} {error}")
                report.failures.append(" ".join([f"{line}: {type(error).__name__}", *str(error).splitlines()[-1:]]))
            else:
                report.runs.append(Run(name, peer.name, result, server.started_in, server.started_with))
                _say(f"{line}: {_summary(result)}")
            found(report)


def _plan(peers: list[Peer], chosen: dict[str, Scenario], runs: int) -> Iterator[tuple[int, str, Peer]]:
    """What to run, in order: the number of the run, the scenario, the server."""
    for number in range(runs):
        for name, scenario in chosen.items():
            if scenario.once and number:
                continue
            for peer in peers:
                if (scenario.relay or peer.name != LIMIT) and (scenario.variants or not peer.variant):
                    yield number, name, peer


def run(peer: Peer, scenario: Scenario, prepared: Path) -> tuple[Result, Running]:
    """One scenario on a server that is started for it, and has ended when this returns. What the scenario prepares is
    in the folder `prepared`, and is made if that isn't there."""
    if scenario.prepare is None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            return _on_server(peer, Path(folder), scenario.work)
    figures = prepared / "figures.json"
    if not figures.exists():
        shutil.rmtree(prepared, ignore_errors=True)
        prepared.mkdir()
        made, _ = _on_server(peer, prepared, scenario.prepare, politely=True)
        figures.write_text(json.dumps(made))
    result, server = _on_server(peer, prepared, scenario.work, politely=True)
    result.figures |= json.loads(figures.read_text())
    return result, server


def _on_server(
    peer: Peer, folder: Path, work: Callable[[Running], Awaitable[T]], *, politely: bool = False
) -> tuple[T, Running]:
    pair = certificates.make("localhost", folder, time.time())
    server = peer.start(folder, pair.certificate, pair.key)
    gc.collect()
    gc.disable()  # the generator's own pauses would be taken for the server's
    try:
        return uvloop.run(_bounded(work, server)), server
    finally:
        gc.enable()
        server.process.stop(politely=politely)


async def _bounded(work: Callable[[Running], Awaitable[T]], server: Running) -> T:
    async with asyncio.timeout(_LONGEST):
        return await work(server)


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
