"""Tests of both forms of reading and writing XML, in Python and compiled: `pytest.mark.usefixtures("form")`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chirrup.core import accelerator, parser, reader, writing, xml


def need_compiled() -> None:
    """End a test that needs the compiled form: skipped on a person's machine, failed in CI, which has a compiler."""
    if accelerator.FORM != "compiled":
        reason = "the parser isn't compiled (scripts/setup does that where there are a C compiler and expat's header)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="module", params=["Python", "compiled"])
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a form; of all tests of a module, first with the one and then with the other."""
    form: str = request.param
    if form == "compiled":
        need_compiled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "Reader", accelerator.reader.Reader if form == "compiled" else reader.Reader)
        writer = accelerator.writer if form == "compiled" else writing
        patch.setattr(xml, "write", writer.write)
        patch.setattr(xml, "write_again", writer.write_again)
        yield form


@pytest.fixture(scope="module")
def compiled() -> None:
    """Tests of the compiled form alone."""
    need_compiled()
