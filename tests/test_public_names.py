"""The names that a program imports from the package itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

import chirrup


@pytest.mark.parametrize("name", chirrup.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(chirrup, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="Bogus"):
        _ = chirrup.Bogus  # type: ignore[attr-defined]


def test_the_import_alone_brings_no_library_along() -> None:
    code = "import sys, chirrup; print([n for n in sys.modules if n.split('.')[0] in ('asyncio', 'sqlalchemy', 'ssl')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
