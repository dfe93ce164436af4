"""The pytest plugin: scenarios are tests, and a fixture runs servers.

Each `*.scenario` file (see `chirrup.testing.scenario`) is collected as one test, named by its file. The fixture
`chirrup_server` is for tests in Python, under whichever plugin runs their coroutines:

    async def test_that_alice_can_log_in(chirrup_server):
        async with chirrup_server() as server:
            alice = await server.client("alice")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Nothing of ours is imported before it is needed: pytest loads this file in every run, whatever that tests.
if TYPE_CHECKING:
    from chirrup.net.clock import Clock
    from chirrup.testing.server import TestServer

    ServerFactory = Callable[..., AbstractAsyncContextManager[TestServer]]


@pytest.fixture
def chirrup_server(tmp_path: Path) -> ServerFactory:
    """Makes servers: `async with chirrup_server(settings, name=…, clock=…) as server`, with the settings of the
    configuration file.

    A server keeps its data in a folder of its own below `tmp_path`, which two servers of one name share, one after
    the other: the second is the first one started again."""
    from chirrup.testing.server import serve

    made = 0

    def make(
        settings: Mapping[str, Any] | None = None, *, name: str = "", clock: Clock | None = None
    ) -> AbstractAsyncContextManager[TestServer]:
        nonlocal made
        made += 1
        return serve(settings, data=tmp_path / (name or f"server-{made}"), clock=clock)

    return make


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".scenario":
        return None
    found: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return found


class ScenarioFile(pytest.File):
    """A `.scenario` file, which is one test."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """One scenario, run against a server of its own."""

    def runtest(self) -> None:
        from chirrup.testing.runner import run
        from chirrup.testing.scenario import parse

        asyncio.run(run(parse(self.path.read_text("utf-8"))))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """What an author of scenarios wants to see: the line of the script, and what came instead."""
        from chirrup.testing.runner import Failure
        from chirrup.testing.scenario import ScenarioError

        error = excinfo.value
        if isinstance(error, Failure):
            return error.report(self.path)
        if isinstance(error, ScenarioError):
            return f"{self.path}: {error}"
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.path.stem
