"""What type checkers know of the SDK is what `typed.py` says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_types() -> None:
    root = Path(__file__).parents[2]
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "tests/client/typed.py"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.stdout + checked.stderr == ""
