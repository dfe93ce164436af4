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
class Question:
    """What a client was asked after messages: its answer says that it has them."""

    ids: list[int]
    """The messages."""
    answered: asyncio.Future[Element | None]
    """Done when it has them. An error is an answer, too."""

    @property
    def confirmed(self) -> bool:
        return self.answered.done() and not self.answered.cancelled()


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
    question: Question | None = None
    """What the receiver hasn't answered yet, or has just now."""
    handed: set[int] = field(default_factory=set)
    """The ids of those that the receiver, or the last one there was, was given and hasn't confirmed."""
    fetched: set[int] = field(default_factory=set)
    """The ids of those that were fetched from the archive while they were being handed over."""


class Unconfirmed:
    """Marks a session that left open whether messages had arrived. It gets no more of what is kept."""


class Querying:
    """Marks a session that is querying its archive, for as long as it does."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()


@contextmanager
def querying(session: Session) -> Iterator[None]:
    """While a session queries its archive it isn't handed anything over: what it finds there needn't be."""
    session.data[Querying] = mark = Querying()
    try:
        yield
    finally:
        del session.data[Querying]
        mark.over.set_result(None)


async def no_query(session: Session) -> None:
    """Return when the session isn't querying its archive."""
    while isinstance(mark := session.data.get(Querying), Querying):
        await asyncio.shield(mark.over)
