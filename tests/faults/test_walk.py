"""What people do in any order, with what networks do in between, follows the rules: a model goes along, and knows them.

Three people with three devices each, old and new, log in, write, block, look into archives, lose their connections and
come back, on a server that is started again. Each message comes to whom it is for, once and in order: live, out of the
archive, or when somebody comes back. Archives have what they should and nothing else, or the sender is told.

Hypothesis chooses the steps, and finds fewer that fail as well. CHIRRUP_FAULT_WALKS sets how many walks there are,
CHIRRUP_FAULT_STEPS how long they are, CHIRRUP_FAULT_SEED repeats what chance chose.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.plugins.walks import DEVICES, PEOPLE, STEPS, Walk

WALKS = int(os.environ.get("CHIRRUP_FAULT_WALKS", "6"))
LENGTH = int(os.environ.get("CHIRRUP_FAULT_STEPS", "40"))


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Steps, of which some kinds are left out, so that others come more often."""
    without = draw(st.sets(st.sampled_from([kind for kind in dict.fromkeys(STEPS) if kind != "say"]), max_size=5))
    kinds = [kind for kind in STEPS if kind not in without]
    devices = draw(st.lists(st.integers(0, len(PEOPLE) * DEVICES - 1), min_size=2, unique=True))
    step = st.tuples(st.sampled_from(kinds), st.sampled_from(devices), st.integers(0, 10**9))
    return draw(st.lists(step, min_size=LENGTH // 2, max_size=LENGTH))


@pytest.mark.timeout(600 + 5 * WALKS)  # most of it to find fewer steps where some fail
def test_whatever_people_do_each_message_comes_once_and_in_order(
    choose: random.Random, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "chirrup.server")
    failed: list[str] = []  # the shortest walk that does

    @seed(choose.randrange(10**9))
    @settings(
        max_examples=WALKS, deadline=None, database=None, report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(walks())
    def check(steps: list[tuple[str, int, int]]) -> None:
        caplog.clear()
        with tempfile.TemporaryDirectory() as folder:
            walk = Walk(Path(folder))
            try:
                asyncio.run(walk.go(steps))
                assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
            except BaseException:
                failed[:] = walk.steps
                raise

    try:
        check()
    finally:
        print(*failed, sep="\n")
