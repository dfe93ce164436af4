"""Programs from outside Python that tests drive: `@pytest.mark.needs("profanity", "tmux")`."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """End a test that can't run here: skipped on a person's machine, failed in CI, which has to have everything."""
    reason = f"{what} is not installed here (scripts/test installs it where it may)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                unavailable(program)
