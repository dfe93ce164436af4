"""What was found: medians, ratios, as a table and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.scenarios.result import Result

OWN: Final = "chirrup"
LIMIT: Final = "relay"


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario, once, on one server."""

    scenario: str
    server: str
    result: Result
    started_in: float
    """Seconds until the server's port was open."""
    started_with: float
    """Seconds of CPU time for that."""


@dataclass(slots=True)
class Report:
    machine: str
    versions: dict[str, str]
    """By server, in the order in which they are reported."""
    scales: list[float] = field(default_factory=lambda: [1.0])
    """How much of the full work was done; several, where reports were joined."""
    runs: list[Run] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Runs that came to nothing, in words."""

    def of(self, scenario: str, server: str) -> list[Result]:
        return [run.result for run in self.runs if (run.scenario, run.server) == (scenario, server)]

    @property
    def scenarios(self) -> list[str]:
        return list(dict.fromkeys(run.scenario for run in self.runs))

    def cpu(self, scenario: str, server: str) -> float | None:
        """Median microseconds of the server's CPU time a unit; None where that wasn't run, or nothing arrived."""
        values = [result.cpu_us for result in self.of(scenario, server) if result.units]
        return median(values) if values else None

    def better_peer(self, scenario: str) -> float | None:
        """What the cheaper of the peers needs a unit."""
        peers = [self.cpu(scenario, server) for server in self.versions if server not in (OWN, LIMIT)]
        return min((cpu for cpu in peers if cpu is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "versions": self.versions,
            "scales": self.scales,
            "runs": [{**asdict(run), "cpu_us": run.result.cpu_us} for run in self.runs],
            "failures": self.failures,
        }

    def save(self, file: Path) -> None:
        """All of it as JSON, a run a line, in place of what the file has; whole at any time."""
        head = {**self.to_json(), "runs": []}
        runs = ",\n".join(json.dumps(run, ensure_ascii=False) for run in self.to_json()["runs"])
        before, after = json.dumps(head, indent=1, ensure_ascii=False).split('"runs": []')
        new = file.with_name(file.name + ".new")
        new.write_text(f'{before}"runs": [\n{runs}\n]{after}\n')
        new.replace(file)

    @classmethod
    def from_json(cls, *parts: dict[str, Any]) -> Report:
        """The runs of several files as one report; machine and versions are those of the first that tells."""
        scales = sorted({scale for part in parts for scale in part["scales"]})
        versions = {server: version for part in reversed(parts) for server, version in part["versions"].items()}
        order = dict.fromkeys(server for part in parts for server in part["versions"])
        report = cls(parts[0]["machine"], {server: versions[server] for server in order}, scales)
        for part in parts:
            report.runs += [
                Run(run["scenario"], run["server"], Result(**run["result"]), run["started_in"], run["started_with"])
                for run in part["runs"]
            ]
            report.failures += part["failures"]
        return report


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def heading(report: Report) -> str:
    """Machine and versions, as a list."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [f"- Machine: {report.machine}", f"- Servers: {versions}", f"- Runs of each: {_runs(report)}"]
    if report.scales != [1.0]:
        shares = " to ".join(f"{scale:.0%}" for scale in (report.scales[0], report.scales[-1])[: len(report.scales)])
        lines.append(f"- Provisional: with {shares} of the work that is described below")
    return "\n".join(lines)


def _runs(report: Report) -> str:
    counts = {len(report.of(run.scenario, run.server)) for run in report.runs}
    return str(min(counts)) if len(counts) == 1 else f"{min(counts, default=0)} to {max(counts, default=0)}"


def table(report: Report) -> str:
    """A Markdown table: medians, each server in a row under its scenario."""
    lines = [
        "| scenario | server | CPU µs a unit | ÷ better peer | ÷ relay | units/s | peak MiB | lost | further |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for scenario in report.scenarios:
        rows = [(server, report.of(scenario, server)) for server in report.versions]
        lines += [_row(report, scenario, server, results) for server, results in rows if results]
    lines += [f"\nFailed: {failure}" for failure in report.failures]
    return "\n".join(lines)


def _row(report: Report, scenario: str, server: str, results: list[Result]) -> str:
    cpu = report.cpu(scenario, server)
    limited = "\\*" if any(result.generator_was_limit for result in results) else ""
    further = [f"{key} {_number(median(r.figures[key] for r in results))}" for key in results[0].figures]
    cells = [
        scenario,
        server,
        "" if cpu is None else f"{cpu:.1f}",
        _ratio(cpu, report.better_peer(scenario)),
        _ratio(cpu, report.cpu(scenario, LIMIT)),
        f"{median(result.units / result.seconds for result in results):,.0f}{limited}",
        f"{median(result.peak_memory for result in results) / 2**20:.0f}",
        f"{sum(result.lost for result in results):,}",
        ", ".join(further),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value is not None and base else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def start_table(report: Report) -> str:
    """A Markdown table of how the servers started, over all scenarios."""
    lines = ["| server | port open after, ms | CPU until then, ms | starts |", "|---|---:|---:|---:|"]
    for server in report.versions:
        runs = [run for run in report.runs if run.server == server]

        def typical(value: Callable[[Run], float], runs: list[Run] = runs) -> float:
            return median(value(run) for run in runs) * 1e3

        if runs:
            took, cpu = typical(lambda run: run.started_in), typical(lambda run: run.started_with)
            lines.append(f"| {server} | {took:.0f} | {cpu:.0f} | {len(runs)} |")
    return "\n".join(lines)
