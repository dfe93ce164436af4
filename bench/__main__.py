"""Runs the benchmark, and prints a table of what it found: server CPU time per unit of work, next to other servers."""

from __future__ import annotations

import argparse
import fnmatch
import json
import signal
import sys
from pathlib import Path
from typing import Any

from bench import docs, profiling, quick
from bench.goals import goal_table
from bench.machine import describe
from bench.measure import measure
from bench.peers import Peer
from bench.peers.chirrup import CHIRRUP
from bench.peers.ejabberd import EJABBERD
from bench.peers.prosody import PROSODY, PROSODY_SQLITE
from bench.peers.relay import RELAY
from bench.report import Report, heading, start_table, table
from bench.scenarios import Scenario, scenarios

SERVERS = {peer.name: peer for peer in (CHIRRUP, PROSODY, PROSODY_SQLITE, EJABBERD, RELAY)}


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.resume and not options.json:
        parser.error("--resume takes --json FILE")
    if options.quick or options.save_baseline:
        return quick.compare(save=options.save_baseline)
    if options.list:
        print("\n".join(scenarios()))
        return 0
    chosen = select(options.scenario, options.scale)
    if not chosen:
        print(f"bench: no scenario is called {' or '.join(options.scenario)}; --list tells them", file=sys.stderr)
        return 2
    if options.profile:
        return profiling.profile(chosen, into_docs=options.docs)
    if options.report:
        report = Report.from_json(*[json.loads(file.read_text()) for file in options.report])
    else:
        peers = present([SERVERS[name] for name in options.servers])
        if not peers:
            return 1
        report = Report(describe(), {peer.name: peer.version() or "" for peer in peers}, [options.scale])
        if options.resume and options.json.exists():
            try:
                report = continued(report, json.loads(options.json.read_text()))
            except ValueError as error:
                print(f"bench: {options.json} is of another measurement: {error}", file=sys.stderr)
                return 2
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # and servers are ended on the way
        save = options.json and (lambda found: found.save(options.json))
        try:
            measure(peers, chosen, options.runs, report, found=save or (lambda found: None))
        except KeyboardInterrupt:
            print("bench: interrupted; with --json, --resume goes on with what that file has", file=sys.stderr)
            return 130
    print(f"{heading(report)}\n\n{table(report)}\n\n{start_table(report)}\n\n{goal_table(report)}")
    if options.docs:
        docs.write(report)
    return 1 if report.failures else 0


def continued(report: Report, before: dict[str, Any]) -> Report:
    """What an interrupted measurement has found, to be added to; what failed is tried again. ValueError where it isn't
    the same that was measured."""
    for name, now in (("machine", report.machine), ("scales", report.scales)):
        if before[name] != now:
            raise ValueError(f"{name}: {before[name]} then, {now} now")
    for server, version in before["versions"].items():
        if report.versions.get(server, version) != version:
            raise ValueError(f"{server}: {version} then, {report.versions[server]} now")
    return Report.from_json(report.to_json(), {**before, "failures": []})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="names or patterns of scenarios; all if left out")
    parser.add_argument(
        "--servers", type=_servers, default=list(SERVERS), help=f"which, separated by commas: {', '.join(SERVERS)}"
    )
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs; the median is reported (default: 3)")
    parser.add_argument("--scale", type=float, default=1.0, help="how much work, as a factor")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all that was found to this file, after each run"
    )
    parser.add_argument("--resume", action="store_true", help="run what the file of --json lacks")
    parser.add_argument(
        "--report", type=Path, action="append", metavar="FILE", help="run nothing: report what such files hold together"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="put tables and chart into docs/performance.md, and all that was found into bench/results.json",
    )
    parser.add_argument("--profile", action="store_true", help="what the scenarios' time goes to in Chirrup (py-spy)")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument("--quick", action="store_true", help="compare this tree with bench/baseline.json, in a minute")
    parser.add_argument("--save-baseline", action="store_true", help="as --quick, and keep its figures as the baseline")
    return parser


def _servers(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in SERVERS]:
        raise argparse.ArgumentTypeError(f"no server is called {unknown[0]}; there are {', '.join(SERVERS)}")
    return names


def select(patterns: list[str], scale: float) -> dict[str, Scenario]:
    """The scenarios that fit any of the patterns; all, if there are none."""
    return {
        name: scenario
        for name, scenario in scenarios(scale).items()
        if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    }


def present(peers: list[Peer]) -> list[Peer]:
    """Those that are installed; says which aren't."""
    for peer in peers:
        if peer.version() is None:
            print(
                f"bench: {peer.name} isn't installed and is left out; "
                f"on Debian 'apt-get install {peer.package}' as root mends that",
                file=sys.stderr,
            )
    return [peer for peer in peers if peer.version() is not None]


if __name__ == "__main__":
    sys.exit(main())
