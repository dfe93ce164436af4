"""Writes of an import, gathered so that many accounts share a transaction, and one flush to the disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from chirrup.cli.transfer.report import Report
from chirrup.core.jid import JID

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store

WRITES: Final = 400
"""Writes after which a batch is stored. A server that runs meanwhile waits for as long as one takes, about a tenth of a
second, and writes while the next one is read."""
OCTETS: Final = 1_000_000
"""Characters of text after which it is stored before that."""


class Batch:
    """Gathers writes in their order. Those of one batch are stored together or, where that fails, not at all."""

    def __init__(self, store: Store, report: Report, done: Callable[[JID], None], *, trial: bool) -> None:
        """`done` is told of each account that is complete, when that is durable. In a trial all is undone as soon as it
        is counted."""
        self._store = store
        self._trial = trial
        self._report = report
        self._done = done
        self._writes: list[tuple[str, int, Callable[[Connection], int]]] = []
        self._size = 0
        self._within: set[JID] = set()
        self._complete: list[JID] = []

    def __contains__(self, jid: JID) -> bool:
        """Whether something of this account is in it, and so not in the store yet."""
        return jid in self._within

    async def put(self, jid: JID, kind: str, most: int, op: Callable[[Connection], int], *, size: int = 0) -> None:
        """`op` returns how many of the `most` things of this kind were new; without a kind that isn't counted."""
        if len(self._writes) >= WRITES or self._size >= OCTETS:
            await self.flush()
        self._writes.append((kind, most, op))
        self._size += size
        self._within.add(jid)

    def complete(self, jid: JID) -> None:
        """Nothing more comes of this account."""
        self._complete.append(jid)

    async def flush(self) -> None:
        """Store what there is; durable when this returns. Raises StoreError."""
        writes, self._writes = self._writes, []
        complete, self._complete = self._complete, []
        size, self._size = self._size, 0
        self._within.clear()

        def put(connection: Connection) -> list[int]:
            return [op(connection) for _, _, op in writes]

        if writes:
            stored = self._store.submit(partial(_undone, put) if self._trial else put, size=size)
            for (kind, most, _), new in zip(writes, await stored, strict=True):
                if kind:
                    self._report.count(kind, most, new)
        for jid in complete:
            self._done(jid)


def _undone(put: Callable[[Connection], list[int]], connection: Connection) -> list[int]:
    with connection.begin_nested() as since:
        counts = put(connection)
        since.rollback()
    return counts
