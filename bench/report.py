"""What was found, as a table, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.scenarios import Result


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario, once, on one server."""

    scenario: str
    server: str
    result: Result
    started_in: float


@dataclass(slots=True)
class Report:
    machine: str
    versions: dict[str, str]
    runs: list[Run] = field(default_factory=list)

    def of(self, scenario: str, server: str) -> list[Result]:
        return [run.result for run in self.runs if (run.scenario, run.server) == (scenario, server)]

    @property
    def scenarios(self) -> list[str]:
        return list(dict.fromkeys(run.scenario for run in self.runs))

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "versions": self.versions,
            "runs": [{**asdict(run), "cpu_us": run.result.cpu_us} for run in self.runs],
        }


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def table(report: Report) -> str:
    """A Markdown table: medians, each server in a row under its scenario; ratios to Chirrup's CPU time a unit."""
    lines = [report.machine, ""]
    lines += [f"{name} {version}" for name, version in report.versions.items()]
    lines += [
        "",
        "| scenario | server | CPU µs a unit | to Chirrup | units/s | peak MiB | lost | further |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for scenario in report.scenarios:
        own = report.of(scenario, "chirrup")
        base = median(result.cpu_us for result in own) if own else 0.0
        for server in report.versions:
            results = report.of(scenario, server)
            if not results:
                continue
            cpu = median(result.cpu_us for result in results)
            rate = median(result.units / result.seconds for result in results)
            limited = " *" if any(result.generator_was_limit for result in results) else ""
            peak = median(result.peak_memory for result in results) / 2**20
            further = ", ".join(
                f"{key} {median(result.figures[key] for result in results):.2f}" for key in results[0].figures
            )
            ratio = f"{cpu / base:.2f}" if base else ""
            lost = sum(result.lost for result in results)
            figures = f"{cpu:.1f} | {ratio} | {rate:,.0f}{limited} | {peak:.0f} | {lost} | {further}"
            lines.append(f"| {scenario} | {server} | {figures} |")
    lines += ["", "\\* The load generator was the limit of this rate; the CPU time a unit is not touched by that."]
    return "\n".join(lines)
