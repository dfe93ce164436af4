"""The guard's arithmetic, and that it measures work that was done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.profiling import part_of, table

from bench import quick
from chirrup.testing import serve


def test_what_became_dearer_than_allowed_is_named() -> None:
    known = {"chat": 1.0, "presence": 2.0}
    lines, worse = quick.comparison(known, {"chat": 1.24, "presence": 2.51, "rooms": 9.0})
    assert worse == ["presence"]
    assert [line.split()[-1] for line in lines[1:]] == ["+24.0%", "+25.5%", "new"]


@pytest.mark.parametrize(("now", "status"), [(1.2, 0), (1.3, 1), (0.5, 0)])
def test_the_status_says_whether_it_got_worse(
    now: float, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = tmp_path / "baseline.json"
    monkeypatch.setattr(quick, "BASELINE", baseline)
    monkeypatch.setattr(quick, "ratios", lambda: {"chat": 1.0})
    assert quick.compare(save=False) == 0, "nothing to compare with"
    assert quick.compare(save=True) == 0
    assert list(json.loads(baseline.read_text()).values()) == [{"chat": 1.0}]
    monkeypatch.setattr(quick, "ratios", lambda: {"chat": now})
    assert quick.compare(save=False) == status


async def test_every_stretch_of_work_delivers_what_it_counts() -> None:
    async with serve({"log": {"level": "error"}}) as server:
        works = await quick.works(server)
        counts = {name: await work() for name, work in works.items()}
    assert len(counts) == 6
    assert all(count > 500 for count in counts.values()), counts


async def test_work_that_is_not_done_has_no_figure() -> None:
    async with serve({"log": {"level": "error"}}) as server:
        alice, bob = [await quick.log_in(server, f"{name}/a-resource") for name in ("alice", "bob")]
        bob.counted(b"</message>")
        work = quick.sending(alice, [bob], "<message type='headline' to='nobody@localhost/x'/>", 64)
        with pytest.raises(RuntimeError, match="0 of 1472 stanzas arrived"):
            await work()


@pytest.mark.parametrize(
    ("frame", "part"),
    [
        ("feed (/x/src/chirrup/core/parser.py:10)", "parsing and serialising"),
        ("route (/x/src/chirrup/server/router.py:10)", "routing and delivery"),
        ("_flush (/x/src/chirrup/net/connection.py:9)", "giving octets"),
        ("run (/usr/lib/python3.11/asyncio/runners.py:118)", "the event loop"),
        ("lower (/usr/lib/python3.11/enum.py:1)", "other"),
    ],
)
def test_a_frame_has_its_part_of_the_house(frame: str, part: str) -> None:
    assert part_of(frame).startswith(part)


def test_the_shares_of_a_profile() -> None:
    stacks = {
        "main (a.py:1);feed (/chirrup/core/parser.py:1)": 30,
        "main (a.py:1);other (/chirrup/core/parser.py:9)": 10,
        "main (a.py:1);route (/chirrup/server/router.py:1)": 60,
    }
    rows = table(stacks).splitlines()[2:]
    assert rows[0] == "| routing and delivery: `server` | 60% | `route` 60% |"
    assert rows[1].endswith("| 40% | `feed` 30%, `other` 10% |")
