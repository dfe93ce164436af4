"""Goals: what a figure is compared with, and what is said of it."""

from __future__ import annotations

import pytest
from bench.goals import BETTER_PEER, GOALS, PROSODY, RELAY, Goal, goal_table
from bench.report import Report, Run
from bench.scenarios import Result, scenarios


def report() -> Report:
    servers = {"chirrup": 20.0, "prosody": 80.0, "prosody-sqlite": 50.0, "ejabberd": 100.0, "relay": 8.0}
    found = Report("a machine", dict.fromkeys(servers, "1.0"))
    for server, cpu_us in servers.items():
        result = Result("message", 1000, 2.0, cpu_us / 1e3, 0.1, figures={"p99 ms": cpu_us / 10})
        found.runs.append(Run("chat", server, result, cpu_us / 1e3, 0.01))
    return found


@pytest.mark.parametrize(
    ("goal", "measured"),
    [
        (Goal("chat", "CPU", 1, BETTER_PEER), 0.4),
        (Goal("chat", "CPU", 1, PROSODY), 0.25),
        (Goal("chat", "CPU", 1, RELAY), 2.5),
        (Goal("chat", "p99 ms", 1, BETTER_PEER), 0.4),
        (Goal("chat", "p99 ms", 5, unit="ms"), 2.0),
        (Goal("", "started", 500, unit="ms"), 20.0),
        (Goal("chat", "KiB a session", 20, unit="KiB"), None),
        (Goal("presence", "CPU", 1, BETTER_PEER), None),
    ],
)
def test_what_is_measured(goal: Goal, measured: float | None) -> None:
    assert goal.measured(report()) == (None if measured is None else pytest.approx(measured))


@pytest.mark.parametrize(("limit", "reached"), [(0.5, "yes"), (0.4, "yes"), (0.25, "**no**")])
def test_a_goal_is_reached_at_its_limit(limit: float, reached: str) -> None:
    assert Goal("chat", "CPU", limit, BETTER_PEER).row(0.4).endswith(f"| 0.40 | {reached} |")


def test_only_what_was_run_is_told() -> None:
    assert len(goal_table(Report("a machine", {"chirrup": "1.0"})).splitlines()) == 2
    found = report()
    for run in list(found.runs):
        found.runs.append(Run("presence", run.server, run.result, run.started_in, run.started_with))
    rows = [line.split(" | ") for line in goal_table(found).splitlines()[2:]]
    assert [(row[0], row[3]) for row in rows] == [("| presence", "0.40"), ("| all", "20.00")]


def test_every_goal_is_of_a_scenario_that_there_is() -> None:
    assert {goal.scenario for goal in GOALS} - {""} <= set(scenarios())
