"""The comparison of client libraries does what it is for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_it_compares() -> None:
    command = [sys.executable, "-m", "bench.sdk", "--messages", "60", "--clients", "2"]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode == 0, ran.stderr
    imports, libraries = [part.splitlines()[1:] for part in ran.stdout.split("\n\n")]
    times = {name: float(time) for name, time in [line.rsplit(maxsplit=1) for line in imports]}
    assert list(times) == ["import chirrup", "chirrup.Client", "chirrup.Bot", "slixmpp.ClientXMPP"]
    assert 0 < times["import chirrup"] < times["chirrup.Client"]
    rows = [line.split() for line in libraries]
    assert [row[0] for row in rows] == ["chirrup", "slixmpp"]
    for _, *figures in rows:
        assert all(re.fullmatch(r"[\d,.]+", figure) for figure in figures)
