"""What is known of an account's waiting messages while it is in memory, and who is being given them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chirrup.core.xml import Element

if TYPE_CHECKING:
    from chirrup.server.session import Session


@dataclass(slots=True)
class Given:
    """Messages that a client was given, and whether it has them."""

    ids: list[int]
    arrived: asyncio.Future[Element | None]
    """Done when it has them: it has acknowledged them, or answered a question that came after them. An error is an
    answer, too. Cancelled if it takes too long."""

    @property
    def confirmed(self) -> bool:
        if not self.arrived.done() or self.arrived.cancelled():
            return False
        self.arrived.exception()  # somebody has seen it
        return True


@dataclass(slots=True, eq=False)
class Kept:
    """What is kept for an account, and who is getting it. At hand with the account."""

    count: int
    """Messages that wait, in the store or on their way there."""
    receiver: Session | None = None
    """The session that is being given them."""
    unsent: int = 0
    """How many of them it hasn't been sent yet."""
    task: asyncio.Task[None] | None = None
    given: Given | None = None
    """What the receiver hasn't confirmed yet, or has just now."""
    handed: set[int] = field(default_factory=set)
    """The ids of those that the receiver, or the last one there was, was given and hasn't confirmed."""
    written: set[bytes] = field(default_factory=set)
    """Those, as they were given."""
    fetched: set[int] = field(default_factory=set)
    """The ids of those that are fetched from the archive and so aren't handed over by who does that now."""
    pages: dict[Session, list[Given]] = field(default_factory=dict)
    """What sessions have fetched from the archive and not confirmed yet."""

    def in_pages(self) -> set[int]:
        """The ids of what was fetched and not confirmed."""
        return {number for pages in self.pages.values() for page in pages for number in page.ids}


class Unconfirmed:
    """Marks a session that left open whether messages had arrived. It gets no more of what is kept."""


class Querying:
    """Marks a session that is querying its archive, for as long as it does."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()


@contextmanager
def querying(session: Session) -> Iterator[None]:
    """While a session queries its archive it isn't handed anything over: what it finds there needn't be."""
    mark = session.put(Querying())
    try:
        yield
    finally:
        session.drop(Querying)
        mark.over.set_result(None)


async def no_query(session: Session) -> None:
    """Return when the session isn't querying its archive."""
    while (mark := session.find(Querying)) is not None:
        await asyncio.shield(mark.over)
