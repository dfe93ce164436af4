"""The store: durable state behind three shapes and the accounts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from chirrup.core.errors import StoreError
from chirrup.store.accounts import Accounts
from chirrup.store.database import READERS, Database
from chirrup.store.logs import Log
from chirrup.store.maps import Map
from chirrup.store.message_rows import read_state
from chirrup.store.messages import Messages
from chirrup.store.migrate import ensure_schema
from chirrup.store.patience import Patience
from chirrup.store.pubsub import PubSub
from chirrup.store.queue import Health, WriteQueue
from chirrup.store.sqlite import SQLiteDatabase
from chirrup.store.values import Value
from chirrup.store.writer import Alone, Failed, Writer

T = TypeVar("T")
R = TypeVar("R")

_TOGETHER: Final = 8
"""So many queries of one turn of the loop share a thread; one that is slow holds up no more."""
_LONG: Final = READERS // 2
"""So many queries that may take long run at once: the other readers are for those that somebody's log-in waits for."""


class Store:
    """Durable state; `await Store.open(url)` makes one. Used on the loop it was opened on.

    A write returns a future at once, in the order of the calls. The future is done when the write survives `kill -9`
    and loss of power, or when it failed and nothing of it was stored; cancelling it doesn't withdraw the write.
    A query is awaited, and sees every write that was made before it.

    While storage fails, because the disk is full or the database gone, writes fail; but those that can wait, messages
    above all, are held and tried again until it works. Queries don't see them before that.
    """

    def __init__(self, database: Database, now: Callable[[], float], messages: tuple[int, bytes]) -> None:
        self._database = database
        self._queue = WriteQueue(Writer(database), now)
        self._loop = asyncio.get_running_loop()
        self._asked: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._reading = self._queue.reading
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="chirrup-store-read")
        self._long = asyncio.Semaphore(_LONG)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closed = False
        self.accounts = Accounts(self)
        self.messages = Messages(self, *messages)
        self.pubsub = PubSub(self)

    @classmethod
    async def open(cls, url: str, *, exclusive: bool = False, now: Callable[[], float] = time.time) -> Store:
        """Open a database, and create or upgrade its tables where needed.

        `url` is a path or sqlite:///path for SQLite, postgresql://user:password@host/database for PostgreSQL.
        `exclusive` is for the one server of a database; commands that want to work beside it leave it out.
        `now` stamps the last error in `health`. Raises StoreError, in one line for the operator.
        """
        database = _database(url, exclusive)
        messages = await asyncio.to_thread(_prepare, database)
        return cls(database, now, messages)

    async def close(self) -> None:
        """Write what waits, then let go of the database. Later writes and queries fail with StoreError, and so does
        what is held while storage fails."""
        if self._closed:
            return
        self._closed = True
        await self._queue.close()
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._database.close)

    def submit(self, op: Callable[[Connection], T], *, size: int = 0) -> asyncio.Future[T]:
        """Queue a write. Its transaction is shared with others, so `op` neither commits nor rolls back; when it
        raises, all it did is undone, and the future fails with that. It may run more than once.

        `size` is how much text it holds while it waits, in characters. When too much is waiting, the future fails
        with StoreError at once."""
        return self._queue.put(op, size=size)

    def submit_row(
        self, op: Callable[[Connection, Sequence[R]], Sequence[T]], row: R, *, size: int = 0
    ) -> asyncio.Future[T]:
        """Queue a write that is stored together with its neighbours: those with the same `op` are handed to it at
        once, and it returns a result for each. Otherwise as `submit`."""
        return self._queue.put(op, row, size)

    def submit_in_order(self, op: Callable[[Connection], T]) -> asyncio.Future[T]:
        """As `submit`; but it fails for as long as writes are held, for they came earlier."""
        return self._queue.put(op, Alone.ORDERED)

    def submit_patiently(self, op: Callable[[Connection], T]) -> asyncio.Future[T]:
        """As `submit`; but while storage fails the write is held, behind others that are, and tried again until it is
        stored or the store is closed."""
        return self._queue.put(op, Alone.PATIENT)

    def join_row(
        self, op: Callable[[Connection, Sequence[R], bool], T], row: R, *, size: int = 0, patient: bool
    ) -> asyncio.Future[T]:
        """Queue a row: all that come with the same `op` in one turn of the loop, `patient` or not, are one write and
        share a future. While storage fails, what is patient is held as with `submit_patiently`; the rest fails, which
        it does for as long as something is held, so that no row is stored before an earlier one. Otherwise as
        `submit`.

        `op` is told whether the rows are tried again: then they may be stored already, where the database was lost
        while it stored them."""
        return self._queue.join(op, row, size, patient=patient)

    def joining(self, op: Callable[[Connection, Sequence[R], bool], T], *, patient: bool) -> asyncio.Future[T] | None:
        """The future of the rows that came with this `op` in this turn of the loop, if there are any."""
        return self._queue.joining(op, patient=patient)

    @property
    def holding(self) -> bool:
        """Whether writes are held, because storage fails."""
        return self._queue.holding

    def held(self) -> Iterator[Callable[..., Any]]:
        """The operations that are held, in their order; a `Joined` for rows."""
        return self._queue.held()

    def when_held(self, callback: Callable[[], None]) -> None:
        """Have this called each time that storage has begun to fail, and writes to be held."""
        self._queue.when_held = callback

    async def read(self, op: Callable[[Connection], T], *, alone: bool = False) -> T:
        """Run a query on a reader's connection, once all writes made so far are settled. All its statements see the
        same state; it can't write. `alone`: no other shall wait for this one to end."""
        if self._queue.pending:
            await self._queue.settled()
        if self._closed:
            raise StoreError("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        if alone:
            self._readers.submit(self._read_all, [(op, future)])
        else:
            if not self._asked:
                self._loop.call_soon(self._start_reads)
            self._asked.append((op, future))
        try:
            result = await future
        except StoreError as fault:
            self._queue.note("read", fault)
            raise
        self._queue.note("read", None)
        return result

    async def read_in_turn(self, op: Callable[[Connection], T], *, owner: str) -> T:
        """As `read`, for a query that may take long, such as a search of a large archive: an owner has one at a time,
        whoever's they are there are only so many at once, and others don't wait for them. One that nobody waits for
        any more counts until it has ended, as it goes on."""
        turn = self._turns.setdefault(owner, asyncio.Lock())
        async with AsyncExitStack() as waiting:
            await waiting.enter_async_context(turn)
            await waiting.enter_async_context(self._long)
            waiting.pop_all()  # both are kept until the query has ended
        query = asyncio.ensure_future(self.read(op, alone=True))

        def ended(_: asyncio.Future[T]) -> None:
            self._long.release()
            turn.release()

        query.add_done_callback(ended)
        return await asyncio.shield(query)

    def _start_reads(self) -> None:
        """Queries of one turn of the loop go to a thread together: the way there and back costs more than most."""
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), _TOGETHER):
            self._reading.asked()
            self._readers.submit(self._read_all, asked[start : start + _TOGETHER], self._reading)

    def _read_all(
        self, asked: Sequence[tuple[Callable[[Connection], Any], asyncio.Future[Any]]], patience: Patience | None = None
    ) -> None:
        """On a reader's thread. All see the same state, unless one fails: then each is made by itself."""
        try:
            with self._database.reader.connect() as connection:
                answers = [(future, op(connection)) for op, future in asked]
        except BaseException:
            answers = [(future, self._read_apart(op)) for op, future in asked]
        with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
            self._loop.call_soon_threadsafe(_answer, answers, patience)

    def _read_apart(self, op: Callable[[Connection], Any]) -> Any:
        try:
            return self._read(op)
        except BaseException as error:
            return Failed(error)

    @property
    def pending(self) -> bool:
        """Whether a write is queued or being committed."""
        return self._queue.pending

    def settled(self) -> asyncio.Future[None]:
        """Done when every write made up to now was committed, has failed or is held."""
        return self._queue.settled()

    def health(self) -> Health:
        return self._queue.health()

    def value(self, name: str) -> Value:
        """One value an owner."""
        return Value(self, name)

    def map(self, name: str) -> Map:
        """Keys and values of an owner."""
        return Map(self, name)

    def log(self, name: str) -> Log:
        """Entries of an owner, in the order they came."""
        return Log(self, name)

    def _read(self, op: Callable[[Connection], T]) -> T:
        try:
            return self._read_once(op)
        except DBAPIError as error:
            try:
                if self._database.is_passing(error):
                    return self._read_once(op)
            except DBAPIError as again:
                error = again
            fault = self._database.fault(error)
            raise fault or error from error

    def _read_once(self, op: Callable[[Connection], T]) -> T:
        with self._database.reader.connect() as connection:
            return op(connection)


def _answer(answers: Sequence[tuple[asyncio.Future[Any], Any]], patience: Patience | None) -> None:
    if patience is not None:
        patience.answered()
    for future, answer in answers:
        if future.cancelled():
            continue
        if isinstance(answer, Failed):
            future.set_exception(answer.error)
        else:
            future.set_result(answer)


def _database(url: str, exclusive: bool) -> Database:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return SQLiteDatabase(Path(url), exclusive=exclusive)
    # Taken as it is: a path may have characters in it that mean something in a URL.
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return SQLiteDatabase(Path(rest[1:]), exclusive=exclusive)
    if scheme in ("postgresql", "postgres"):
        from chirrup.store.postgresql import PostgreSQLDatabase  # a tenth of a second that SQLite needn't wait for

        try:
            return PostgreSQLDatabase(make_url(url), exclusive=exclusive)
        except (ArgumentError, ValueError) as error:
            raise StoreError("the database's URL can't be read: postgresql://user:password@host/database") from error
    raise StoreError("the database's URL should be sqlite:///path/to/file or postgresql://user:password@host/database")


def _prepare(database: Database) -> tuple[int, bytes]:
    """What `Messages` begins with."""
    try:
        database.prepare()
        ensure_schema(database)
        database.probe()
        with database.reader.connect() as connection:
            return read_state(connection)
    except BaseException as error:
        database.close()
        fault = database.fault(error)
        if fault is None and isinstance(error, DBAPIError):
            fault = StoreError(f"{database.name}: {' '.join(str(error.orig).split())}")
        if fault is not None:
            raise fault from error
        raise
