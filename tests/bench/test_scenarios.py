"""Scenarios, small, on a server of this tree: that they do what they count."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from bench.measure import run
from bench.peers.chirrup import CHIRRUP
from bench.scenarios import Scenario
from bench.scenarios.archive import fill, last_page
from bench.scenarios.chat import REALISTIC, chat_bare
from bench.scenarios.detached import detached
from bench.scenarios.managed import chat_managed
from bench.scenarios.offline import offline


@pytest.mark.parametrize(
    ("scenario", "units", "figures"),
    [
        (partial(chat_managed, pairs=2, window=8, messages=200, body=REALISTIC), 200, {}),
        (partial(chat_bare, pairs=2, window=8, messages=200, body=REALISTIC), 200, {"copies": 2.0}),
        (partial(offline, senders=2, messages=40, longest=60), 40, {}),
        (partial(detached, sessions=50, pause=0.05), 50, {}),
    ],
)
def test_all_arrive(scenario: object, units: int, figures: dict[str, float], tmp_path: Path) -> None:
    result, _ = run(CHIRRUP, Scenario(scenario), tmp_path / "prepared")  # type: ignore[arg-type]
    assert (result.units, result.lost) == (units, 0)
    assert figures.items() <= result.figures.items()


def test_pages_are_of_an_archive_that_is_filled_once(tmp_path: Path) -> None:
    scenario = Scenario(partial(last_page, queries=3, longest=60), prepare=partial(fill, messages=120, longest=60))
    for _ in range(2):
        result, _ = run(CHIRRUP, scenario, tmp_path / "prepared")
        assert (result.units, result.lost, result.figures["messages in the archive"]) == (3, 0, 120)


def test_what_a_page_lacks_is_lost(tmp_path: Path) -> None:
    scenario = Scenario(partial(last_page, queries=2, longest=60), prepare=partial(fill, messages=30, longest=60))
    assert run(CHIRRUP, scenario, tmp_path / "prepared")[0].lost == 2 * 20
