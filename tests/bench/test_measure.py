"""Which runs there are, and that none of them is lost or done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from bench.__main__ import continued, main
from bench.measure import measure
from bench.peers import Peer, Running
from bench.process import Process
from bench.report import Report, Run
from bench.scenarios import Result, Scenario

from bench import measure as measuring


class NoProcess:
    """A server of which nothing is asked but that it ends."""

    def __init__(self) -> None:
        self.ended: list[bool] = []

    def stop(self, *, politely: bool = False) -> None:
        self.ended.append(politely)


def peer(name: str, *, variant: bool = False, process: NoProcess | None = None) -> Peer:
    def start(folder: Path, certificate: Path, key: Path) -> Running:
        return Running(name, "1", cast("Process", process or NoProcess()), 0, 0.1, 0.1)

    return Peer(name, "", lambda: "1", start, variant=variant)


async def work(server: Running) -> Result:
    return Result("unit", 1, 1.0, 1.0, 0.1)


def names(report: Report) -> list[tuple[str, str]]:
    return [(run.scenario, run.server) for run in report.runs]


def test_variants_take_part_where_messages_are_kept_and_the_relay_where_it_can() -> None:
    peers = [peer("prosody"), peer("prosody-sqlite", variant=True), peer("relay")]
    chosen = {
        "kept": Scenario(work, variants=True),
        "passing": Scenario(work, relay=True),
        "long": Scenario(work, once=True),
    }
    report = Report("m", {})
    measure(peers, chosen, 2, report)
    both = [("kept", "prosody"), ("kept", "prosody-sqlite"), ("passing", "prosody"), ("passing", "relay")]
    assert names(report) == [*both, ("long", "prosody"), *both]


def test_what_is_found_is_told_after_each_run_and_what_is_there_is_not_run_again() -> None:
    told: list[int] = []
    report = Report("m", {})
    report.runs.append(Run("a", "prosody", Result("unit", 1, 1.0, 1.0, 0.1), 0.1, 0.1))
    chosen = {name: Scenario(work) for name in "ab"}
    measure([peer("prosody")], chosen, 2, report, found=lambda found: told.append(len(found.runs)))
    assert sorted(names(report)) == [("a", "prosody")] * 2 + [("b", "prosody")] * 2
    assert told == [2, 3, 4]


def test_a_folder_is_prepared_once_and_every_run_begins_with_it() -> None:
    prepared: list[str] = []

    async def prepare(server: Running) -> dict[str, float]:
        prepared.append(server.name)
        return {"messages": 7}

    process = NoProcess()
    report = Report("m", {})
    measure([peer("prosody", process=process)], {"a": Scenario(work, prepare=prepare)}, 3, report)
    assert prepared == ["prosody"]
    assert [run.result.figures for run in report.runs] == [{"messages": 7}] * 3
    assert process.ended == [True] * 4, "what it has stored is to be whole"


def test_a_run_that_fails_is_named_and_the_others_go_on() -> None:
    async def fail(server: Running) -> Result:
        raise RuntimeError("no such thing")

    report = Report("m", {})
    measure([peer("prosody")], {"a": Scenario(fail), "b": Scenario(work)}, 1, report)
    assert report.failures == ["run 1: a: prosody: RuntimeError no such thing"]
    assert names(report) == [("b", "prosody")]


def before(**changes: object) -> dict[str, object]:
    report = Report("m", {"prosody": "1"}, failures=["run 1"])
    report.runs.append(Run("a", "prosody", Result("unit", 1, 1.0, 1.0, 0.1), 0.1, 0.1))
    return {**report.to_json(), **changes}


def test_a_continued_report_has_the_runs_before_but_not_the_failures() -> None:
    report = continued(Report("m", {"chirrup": "2", "prosody": "1"}), before())
    assert (names(report), report.failures) == ([("a", "prosody")], [])
    assert list(report.versions) == ["chirrup", "prosody"]
    assert report.scales == [1.0]


@pytest.mark.parametrize("changes", [{"machine": "other"}, {"scales": [0.5]}, {"versions": {"prosody": "0"}}])
def test_another_measurement_is_not_continued(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="then"):
        continued(Report("m", {"prosody": "1"}), before(**changes))


def test_the_command_writes_after_each_run_and_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "results.json"
    runs: list[str] = []

    def run(peer: Peer, scenario: Scenario, prepared: Path) -> tuple[Result, Running]:
        if len(runs) == 1 and not file.with_suffix(".once").exists():
            file.with_suffix(".once").touch()
            raise KeyboardInterrupt
        runs.append(peer.name)
        return Result("unit", 1, 1.0, 1.0, 0.1), Running(peer.name, "1", cast("Process", NoProcess()), 0, 0.1, 0.1)

    monkeypatch.setattr(measuring, "run", run)
    arguments = ["presence", "--servers", "chirrup", "--runs", "3", "--json", str(file), "--resume"]
    assert main(arguments) == 130
    assert len(json.loads(file.read_text())["runs"]) == 1
    assert main(arguments) == 0
    assert len(json.loads(file.read_text())["runs"]) == len(runs) == 3
    assert main([*arguments, "--scale", "0.5"]) == 2


def test_going_on_takes_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--resume"])
    assert "--resume takes --json FILE" in capsys.readouterr().err
