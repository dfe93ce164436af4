"""What the figures are to be, as data, and how near a report comes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.report import LIMIT, OWN, Report, median

_CPU: Final = "CPU"
"""The figure of CPU time a unit, beside those that a result has by name."""
_STARTED: Final = "started"
"""Milliseconds until the port is open, over all scenarios."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a figure is compared with."""

    words: str
    fits: Callable[[str], bool]
    """Whether a server takes part; the least of their figures counts."""


BETTER_PEER: Final = Base("× the better peer's", lambda server: server not in (OWN, LIMIT))
PROSODY: Final = Base("× Prosody's", lambda server: server == "prosody")
RELAY: Final = Base("× the relay's", lambda server: server == LIMIT)


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of one scenario: at most `limit`, which is a ratio if there is a base, and else in `unit`."""

    scenario: str
    """"" for all of them."""
    figure: str
    limit: float
    base: Base | None = None
    unit: str = ""

    def measured(self, report: Report) -> float | None:
        """None where that wasn't run."""
        own = _figure(report, self.scenario, OWN, self.figure)
        if self.base is None or own is None:
            return own
        others = [
            _figure(report, self.scenario, server, self.figure) for server in filter(self.base.fits, report.versions)
        ]
        least = min((other for other in others if other is not None), default=None)
        return own / least if least else None

    def row(self, measured: float) -> str:
        unit = self.base.words if self.base else self.unit
        reached = "yes" if measured <= self.limit else "**no**"
        scenario = self.scenario or "all"
        figure = {_CPU: "CPU time a unit", _STARTED: "port open after"}.get(self.figure, self.figure)
        return f"| {scenario} | {figure} | {self.limit:g} {unit} | {measured:.2f} | {reached} |"


GOALS: Final = (
    Goal("chat, TLS, archived", _CPU, 1 / 5, BETTER_PEER),
    Goal("chat, TLS, not kept", _CPU, 1 / 4, BETTER_PEER),
    Goal("chat, TLS, realistic, archived", _CPU, 1 / 5, BETTER_PEER),
    Goal("chat, TLS, realistic, not kept", _CPU, 1 / 4, BETTER_PEER),
    Goal("chat, TLS, stream management, carbons, archived", _CPU, 1 / 5, BETTER_PEER),
    Goal("chat, TLS, stream management, carbons, not kept", _CPU, 1 / 4, BETTER_PEER),
    Goal("chat to bare JIDs, two clients, archived", _CPU, 1 / 4, BETTER_PEER),
    Goal("chat to bare JIDs, two clients, not kept", _CPU, 1 / 4, BETTER_PEER),
    Goal("chat, plain, one in flight, archived", _CPU, 3, RELAY),
    Goal("chat, TLS, one in flight, archived", _CPU, 3, RELAY),
    Goal("chat, plain, one in flight, not kept", _CPU, 3, RELAY),
    Goal("chat, TLS, one in flight, not kept", _CPU, 3, RELAY),
    Goal("presence", _CPU, 1 / 4, BETTER_PEER),
    Goal("log-ins and 2,000 idle sessions", _CPU, 1, BETTER_PEER),
    Goal("log-ins and 10,000 idle sessions", _CPU, 1, BETTER_PEER),
    Goal("log-ins and 2,000 idle sessions", "KiB a session", 1, PROSODY),
    Goal("log-ins and 10,000 idle sessions", "KiB a session", 1, PROSODY),
    Goal("log-ins and 2,000 idle sessions", "KiB a session", 40, unit="KiB"),
    Goal("log-ins and 10,000 idle sessions", "KiB a session", 40, unit="KiB"),
    Goal("detached sessions", "KiB a session", 20, unit="KiB"),
    Goal("archive, last 50 of 100,000", "ms a query", 5, unit="ms"),
    Goal("latency at 2,000/s, archived", "p99 ms", 1, BETTER_PEER),
    Goal("latency at 2,000/s, not kept", "p99 ms", 1, BETTER_PEER),
    Goal("", _STARTED, 500, unit="ms"),
)


def goal_table(report: Report) -> str:
    """A Markdown table: what was asked for, and what was measured; of what was run, with what it is compared with."""
    measured = [(goal, goal.measured(report)) for goal in GOALS]
    return "\n".join(
        [
            "| scenario | figure | at most | measured | reached |",
            "|---|---|---|---:|---|",
            *[goal.row(value) for goal, value in measured if value is not None],
        ]
    )


def _figure(report: Report, scenario: str, server: str, figure: str) -> float | None:
    """The median of the runs; None where there are none."""
    if figure == _CPU:
        return report.cpu(scenario, server)
    if figure == _STARTED:
        values = [run.started_in * 1e3 for run in report.runs if run.server == server]
    else:
        values = [result.figures[figure] for result in report.of(scenario, server) if figure in result.figures]
    return median(values) if values else None
