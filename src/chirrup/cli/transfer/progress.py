"""How far an export or an import has come, for who waits at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from chirrup.cli.transfer.events import Event, UserBegins


@contextmanager
def shown(doing: str) -> Iterator[Callable[[int], None]]:
    """What is given is told how many accounts are done. Nothing is shown where standard error is no terminal."""
    console = Console(stderr=True)
    columns = TextColumn(doing), TextColumn("{task.completed} accounts"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda count: progress.update(task, completed=count)


def counted(events: Iterable[Event], tell: Callable[[int], None]) -> Iterator[Event]:
    """The events, while the accounts among them are told."""
    count = 0
    for event in events:
        yield event
        if isinstance(event, UserBegins):
            count += 1
            tell(count)
