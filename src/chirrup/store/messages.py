"""Messages of accounts: what is in their archive, and what waits for them. A message that is both is stored once.

What others are told in place of a message's id is a `uid`, from which only this store can tell the id again (XEP-0359
§6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from chirrup.core.record import record
from chirrup.store.message_rows import CHUNK, Message, MessageRows, Range, Row, add
from chirrup.store.thread import Joined
from chirrup.store.uids import Uids

if TYPE_CHECKING:
    from chirrup.store.store import Store

_ALL: Final = 10**9


class Messages:
    """The messages of all accounts. `owner` is a bare JID."""

    def __init__(self, store: Store, last: int, secret: bytes) -> None:
        self._store = store
        self._last = last
        self._indexing = asyncio.Lock()
        uids = Uids(secret)
        self.uid: Callable[[int], str] = uids.uid
        """What others are told in an id's place."""
        self.id_of: Callable[[str], int | None] = uids.id_of
        """The id of which somebody was told this; None if it is of no message."""

    def within(self, connection: Connection) -> MessageRows:
        """For use in an operation that is handed to `Store.submit` or `Store.read`."""
        return MessageRows(connection)

    def next_id(self, now: float) -> int:
        """A new message's; `now` in seconds since 1970."""
        number = self._last = max(int(now * 1_000_000), self._last + 1)
        return number

    def add(self, row: Row, *, patient: bool = False) -> asyncio.Future[None]:
        """Store a message whose id is new. Those added in one turn of the loop, `patient` or not, share a future, and
        are stored as they are when it ends: not at all, if they are neither archived nor waiting then.

        Where it is patient it is held while storage fails, and stored when that works again."""
        return self._store.join_row(add, row, size=len(row[4]), patient=patient)

    def adding(self, *, patient: bool = False) -> asyncio.Future[None] | None:
        """The future of those added in this turn of the loop, if there are any."""
        return self._store.joining(add, patient=patient)

    async def waiting(self, owner: str, *, after: int = 0, limit: int) -> list[Message]:
        """The oldest of what waits, with ids larger than `after`; also what is held while storage fails."""
        if self._store.pending:
            await self._store.settled()
        unwritten = _Unwritten(self._store.held(), owner) if self._store.holding else None

        def query(connection: Connection) -> list[Message]:
            rows = MessageRows(connection)
            if unwritten is None:
                return rows.waiting(owner, after=after, limit=limit)
            return unwritten.waiting(rows, after=after, limit=limit)

        return await self._store.read(query)

    async def unstored(self, owner: str) -> list[int]:
        """Ids of what an archive lacks while storage fails, as it is held; all writes made so far are settled then."""
        if self._store.pending:
            await self._store.settled()
        writes = (write for write in self._store.held() if isinstance(write, Joined)) if self._store.holding else ()
        return [row[1] for write in writes for row in write.rows if row[0] == owner and row[5]]

    async def count_waiting(self, owner: str) -> int:
        if self._store.holding:
            return len(await self.waiting(owner, limit=_ALL))
        return await self._store.read(lambda connection: MessageRows(connection).count_waiting(owner))

    def page(
        self, owner: str, which: Range, *, limit: int, newest: bool = False, octets: int | None = None
    ) -> Awaitable[list[Message]]:
        """Up to `limit` messages of the archive, the oldest or the newest of those in range. Ascending either way.

        No more are read once they have more than so many `octets`, or characters; but two, if there are two."""
        return self._store.read(
            lambda connection: MessageRows(connection).page(owner, which, limit=limit, newest=newest, octets=octets)
        )

    def count(self, owner: str, which: Range, *, up_to: int) -> Awaitable[int | None]:
        """How many there are in the archive; None if they are more than `up_to`, which bounds what this costs."""
        return self._store.read(lambda connection: MessageRows(connection).count(owner, which, up_to=up_to))

    async def index(self, owner: str) -> bool:
        """Make some more of an archive searchable; whether all of it is now. However many ask for that, it is done for
        one after the other, between whatever else is to be written."""
        async with self._indexing:
            return await self._store.submit(lambda connection: MessageRows(connection).index(owner))

    def expire(self, owner: str, before: int, *, limit: int = CHUNK) -> asyncio.Future[int]:
        """Take the oldest messages with ids less than `before` out of an archive, at most `limit` or `CHUNK` at a time
        so that others' writes aren't held up. How many; those that wait still do."""
        return self._store.submit(lambda connection: MessageRows(connection).expire(owner, before, limit=limit))

    def expire_of(self, owners: Sequence[str], before: int, *, limit: int = CHUNK) -> asyncio.Future[int]:
        """As `expire`, for the archives of several: `limit` is for all of them together."""
        return self._store.submit(lambda connection: MessageRows(connection).expire_of(owners, before, limit=limit))

    async def clear(self, owner: str) -> None:
        """Delete what there is of an owner's, what waits too, some hundred at a time so that others' writes aren't held
        up."""
        while await self._store.submit(lambda found: MessageRows(found).clear(owner, limit=CHUNK)) == CHUNK:
            pass

    def excess(self, owner: str, most: int) -> Awaitable[int | None]:
        """The newest message up to which an archive has to go if it may have so many octets; None if it has less."""
        return self._store.read_in_turn(lambda connection: MessageRows(connection).excess(owner, most), owner=owner)

    def owners(self, *, after: str = "", limit: int = 1000) -> Awaitable[list[str]]:
        """A page of those who have messages, by code point."""
        return self._store.read(lambda connection: MessageRows(connection).owners(after=after, limit=limit))

    def aged(self, owners: Sequence[str], before: int) -> Awaitable[list[str]]:
        """Those of them whose archives have messages with ids less than `before`."""
        return self._store.read(lambda connection: MessageRows(connection).aged(owners, before))

    def delivered(self, owner: str, ids: Iterable[int]) -> asyncio.Future[int]:
        """These don't wait any more: forget those that aren't archived. How many did wait. Held while storage fails."""
        return self._store.submit_patiently(_Delivered(owner, list(ids)))

    def wait_again(self, owner: str, number: int) -> asyncio.Future[bool]:
        """A message has to be delivered after all; whether it is there, and didn't wait already. Held while storage
        fails."""
        return self._store.submit_patiently(_WaitAgain(owner, number))


@record
class _Delivered:
    owner: str
    ids: Sequence[int]

    def __call__(self, connection: Connection) -> int:
        return MessageRows(connection).delivered(self.owner, self.ids)


@record
class _WaitAgain:
    owner: str
    number: int

    def __call__(self, connection: Connection) -> bool:
        return MessageRows(connection).wait_again(self.owner, self.number)


class _Unwritten:
    """What becomes of an owner's waiting messages by the writes that are held while storage fails."""

    def __init__(self, held: Iterable[Callable[..., Any]], owner: str) -> None:
        self._owner = owner
        self._new: dict[int, Message] = {}
        self._again: list[int] = []
        self._gone: set[int] = set()
        archived: dict[int, Message] = {}
        for write in held:
            if isinstance(write, Joined):
                for message in (Message(*row[1:]) for row in write.rows if row[0] == owner):
                    (self._new if message.waiting else archived)[message.id] = message
            elif isinstance(write, _WaitAgain) and write.owner == owner:
                if write.number in archived:
                    self._new[write.number] = archived[write.number]
                else:
                    self._again.append(write.number)
            elif isinstance(write, _Delivered) and write.owner == owner:
                self._gone.update(write.ids)

    def waiting(self, rows: MessageRows, *, after: int, limit: int) -> list[Message]:
        """As `MessageRows.waiting`, as if they were written."""
        found = rows.waiting(self._owner, after=after, limit=limit + len(self._gone))
        for start in range(0, len(self._again), CHUNK):
            again = Range(ids=tuple(self._again[start : start + CHUNK]))
            found += rows.page(self._owner, again, limit=CHUNK)
        ids = {message.id: message for message in (*found, *self._new.values())}
        return [ids[number] for number in sorted(ids) if number > after and number not in self._gone][:limit]
