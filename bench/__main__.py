"""Runs the benchmark: `python -m bench [SCENARIO …] [--servers …] [--runs N] [--scale X] [--json FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import gc
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.machine import describe
from bench.peers import Peer
from bench.peers.chirrup import CHIRRUP
from bench.peers.ejabberd import EJABBERD
from bench.peers.prosody import PROSODY
from bench.peers.relay import RELAY
from bench.report import Report, Run, table
from bench.scenarios import Result, Scenario, scenarios
from chirrup.net import certificates

SERVERS = {peer.name: peer for peer in (CHIRRUP, PROSODY, EJABBERD, RELAY)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="names or patterns of scenarios; all if left out")
    parser.add_argument("--servers", default=",".join(SERVERS), help="which servers, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs; the median is reported")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work, as a factor")
    parser.add_argument("--json", type=Path, help="write all that was found to this file")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    arguments = parser.parse_args()
    chosen = {
        name: scenario
        for name, scenario in scenarios(arguments.scale).items()
        if not arguments.scenario or any(fnmatch.fnmatch(name, pattern) for pattern in arguments.scenario)
    }
    if arguments.list or not chosen:
        print("\n".join(scenarios()))
        return
    peers = [SERVERS[name] for name in arguments.servers.split(",")]
    missing = [peer.package for peer in peers if peer.version() is None]
    if missing:
        sys.exit(f"bench: not installed: {', '.join(missing)}; scripts/bench installs them")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = measure(peers, chosen, arguments.runs)
    print()
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.to_json(), indent=1))


def measure(peers: list[Peer], chosen: dict[str, Scenario], runs: int) -> Report:
    """Each scenario on each server in turn, all that as often as asked for; a fresh server each time."""
    report = Report(describe(), {peer.name: peer.version() or "" for peer in peers})
    for number in range(runs):
        for name, scenario in chosen.items():
            for peer in peers:
                if peer.name == "relay" and not name.startswith("chat,"):
                    continue
                result, started_in = run(peer, scenario)
                report.runs.append(Run(name, peer.name, result, started_in))
                print(
                    f"run {number + 1}: {name}: {peer.name}: {result.cpu_us:.1f} µs a {result.unit}, "
                    f"{result.units / result.seconds:,.0f}/s, lost {result.lost}"
                    + "".join(f", {key} {value:.2f}" for key, value in result.figures.items())
                    + (" (the generator was the limit of throughput)" if result.generator_was_limit else ""),
                    file=sys.stderr,
                    flush=True,
                )
    return report


def run(peer: Peer, scenario: Scenario) -> tuple[Result, float]:
    """One scenario on a server that is started for it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        pair = certificates.make("localhost", folder, time.time())
        server = peer.start(folder, pair.certificate, pair.key)
        try:
            gc.collect()
            return uvloop.run(_bounded(scenario, server)), server.started_in
        finally:
            server.process.stop()


async def _bounded(scenario: Scenario, server: object) -> Result:
    async with asyncio.timeout(600):
        return await scenario(server)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
