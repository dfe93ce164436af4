"""The interface by which a module's data of an account leaves a server and comes to another (XEP-0227).

A module that keeps data of accounts has a class `Transfer`, a `Part`, in a file `transfer` beside its `server`. It
writes the data as children of the account's `<user/>` element, and takes such children, whoever wrote them.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from chirrup.core.jid import JID
from chirrup.core.xml import Element

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.server.module import Module
    from chirrup.store import Store

XEPS: Final = ((227, "1.1", "by `chirrup export` and `chirrup import`"),)
NS: Final = "urn:xmpp:pie:0"
ARCHIVE: Final = f"{NS}#mam"
SCRAM: Final = f"{NS}#scram"
ACCOUNT: Final = "urn:chirrup:account:0"
"""What Chirrup says of an account besides: when it was made, and whether it is disabled."""

Name = tuple[str, str]
"""Name and namespace of an element."""


class Incoming(Protocol):
    """The account that is being imported, as its parts see it."""

    fresh: bool
    """Whether the account is made by this import, so that there was nothing of it before."""
    started: float
    """When the import began, in seconds since 1970."""

    async def store(self, kind: str, most: int, op: Callable[[Connection], int], *, size: int = 0) -> None:
        """Have something stored: `op` does it, within a transaction of its own, and returns how many of the `most`
        things of this kind were new. In a trial run all that it does is undone."""

    def leave_out(self, what: str) -> None:
        """Tell the operator, once, of something that isn't imported because there is no place for it."""

    def complain(self, problem: str) -> None:
        """Tell the operator of something that can't be imported because it is broken."""


class Part(ABC):
    """What a module keeps of one account. An instance serves for one export or import of the account."""

    takes: ClassVar[frozenset[Name]] = frozenset()
    """The children of `<user/>` that are for this part."""
    opens: ClassVar[frozenset[Name]] = frozenset()
    """Those whose own children it is given, one at a time, because they may be too many to hold."""

    finishes_last: ClassVar[bool] = False
    """Whether `finish` needs what the account's other parts have stored."""

    def __init__(self, store: Store, owner: JID) -> None:
        self.store = store
        self.owner = owner

    @abstractmethod
    def export(self) -> AsyncIterator[str]:
        """The children of `<user/>`, as XML text where `NS` is the default namespace. It can come in pieces."""

    @abstractmethod
    async def take(self, element: Element, incoming: Incoming) -> None:
        """Import an element. What the account has already stays as it is. May raise ValueError or PayloadError, with
        what is wrong with the element."""

    async def finish(self, incoming: Incoming) -> None:  # noqa: B027 - most have nothing to do then
        """All elements of the account have been taken."""


def part_of(module: type[Module]) -> type[Part] | None:
    """The part of a module's data that is an account's; None for a module without any."""
    package, _, last = module.__module__.rpartition(".")
    if last != "server" or importlib.util.find_spec(f"{package}.transfer") is None:
        return None
    part: type[Part] = importlib.import_module(f"{package}.transfer").Transfer
    return part
