"""Putting accounts into the store: what a source tells of them, given to the parts of modules that know it."""

from __future__ import annotations

import binascii
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from chirrup.cli.transfer.batch import Batch
from chirrup.cli.transfer.events import Child, Event, HostBegins, Place, Problem, Unreadable, UserBegins, UserEnds
from chirrup.cli.transfer.report import Report
from chirrup.core.errors import AddressError, ChirrupError, StoreError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import HASHES, MAX_ITERATIONS, ScramKeys, prepare_password
from chirrup.core.values import parse_datetime
from chirrup.core.xml import Element
from chirrup.server.auth import make_keys
from chirrup.server.transfer import ACCOUNT, SCRAM, Name, Part

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.store import Store

Existing = Literal["complete", "skip", "replace"]
"""What becomes of accounts that exist already: they get what they lack, stay as they are, or are made anew."""
UNFINISHED: Final = "unfinished_import"
"""The name of the value that an account has while it is imported: if that is cut off, it is gone on with later."""
_OWN: Final[frozenset[Name]] = frozenset({("scram-credentials", SCRAM), ("account", ACCOUNT)})


@record
class Options:
    """How to import."""

    existing: Existing = "complete"
    dry_run: bool = False
    stop_on_error: bool = False


class Stopped(ChirrupError):  # noqa: N818 - reads as the condition it is
    """There was a problem, and it was to be the end."""


class Import:
    """Works on the events of one source."""

    def __init__(
        self,
        store: Store,
        parts: dict[str, Collection[type[Part]]],
        options: Options,
        report: Report,
        changed: Callable[[JID], None],
    ) -> None:
        """`parts` are those of each host's modules; `changed` is told of accounts whose data isn't what it was."""
        self._store = store
        self._parts = parts
        self._options = options
        self._report = report
        self._changed = changed
        self._batch = Batch(store, report, changed, trial=options.dry_run)
        self._host: str | None = None
        self._elsewhere = ""  # the host that is meant where it is none of ours
        self._user: _User | None = None
        self._started = time.time()

    async def run(self, events: Iterable[Event]) -> None:
        """Raises Stopped and StoreError. What is stored by then stays, and the import can be run again."""
        try:
            for event in events:
                await self._take(event)
        except Unreadable as error:
            self._complain(error.place, error.text)
        finally:  # what came of an account that ended before its time is stored, too: it is unfinished
            await self._batch.flush()

    async def _take(self, event: Event) -> None:
        match event:
            case HostBegins():
                self._begin_host(event)
            case UserBegins():
                await self._begin_user(event)
            case Child() if self._user is not None:
                await self._take_child(event, self._user)
            case UserEnds() if self._user is not None:
                user, self._user = self._user, None
                await user.finish()
            case Problem():
                self._complain(event.place, event.text)

    def _complain(self, place: Place, text: str) -> None:
        self._report.problem(place, text)
        if self._options.stop_on_error:
            raise Stopped("stopped at the first problem; what was imported before stays")

    def _begin_host(self, event: HostBegins) -> None:
        try:
            self._host = JID(event.jid).text
            self._elsewhere = self._host
        except AddressError as error:
            self._host, self._elsewhere = None, event.jid
            self._complain(event.place, f"a host: {error}")
            return
        if self._host not in self._parts:
            self._complain(event.place, f"{self._host} is not served here, or has no accounts; its own are left out")
            self._host = None

    async def _begin_user(self, event: UserBegins) -> None:
        self._user = None
        if self._host is None:
            self._report.not_ours(f"accounts of {self._elsewhere}")
            return
        try:
            jid = JID.of(event.name, self._host)
            if not jid.local:
                raise AddressError("an account without a name")
        except AddressError as error:
            self._complain(event.place, str(error))
            return
        if jid in self._batch:  # it comes twice
            await self._batch.flush()
        user = _User(
            self._store, jid, self._parts[self._host], self._options, self._report, self._batch, self._started,
            place=event.place, complain=self._complain,
        )  # fmt: skip
        if not await user.begin(event.password, self._changed):
            self._report.skipped += 1
            return
        self._user = user

    async def _take_child(self, event: Child, user: _User) -> None:
        user.place = event.place
        try:
            await user.take(event.element, event.within)
        except StoreError:
            raise
        except (ChirrupError, ValueError) as error:
            if isinstance(error, Stopped):
                raise
            what = f"<{event.element.name} xmlns='{event.element.ns}'/>"
            self._complain(event.place, f"{user.jid}: {what}: {error}")


class _User:
    """The account that is being imported; what its parts know as `Incoming`."""

    def __init__(
        self,
        store: Store,
        jid: JID,
        parts: Collection[type[Part]],
        options: Options,
        report: Report,
        batch: Batch,
        started: float,
        *,
        place: Place,
        complain: Callable[[Place, str], None],
    ) -> None:
        """`place` is where it stands; `complain` is told what is wrong, and where."""
        self.jid = jid
        self.fresh = False
        self.started = started
        self.place = place
        self._complain = complain
        self._store = store
        self._options = options
        self._report = report
        self._batch = batch
        self._keys = False
        self._nothing = False  # whether nothing of what comes can be in the store
        self._parts = [part(store, jid) for part in parts]
        self._takes = {name: part for part in self._parts for name in (*part.takes, *part.opens)}

    # -- for parts

    async def store(self, kind: str, most: int, op: Callable[[Connection], int], *, size: int = 0) -> None:
        if self._options.dry_run and self._nothing:
            self._report.count(kind, most, most)
        else:
            await self._batch.put(self.jid, kind, most, op, size=size)

    def leave_out(self, what: str) -> None:
        self._report.left_out(what, self.place)

    def complain(self, problem: str) -> None:
        self._complain(self.place, f"{self.jid}: {problem}")

    # -- the account

    async def begin(self, password: str | None, changed: Callable[[JID], None]) -> bool:
        """Make the account, where that is to be; whether what comes of it is for us."""
        accounts, local, host = self._store.accounts, self.jid.local, self.jid.domain
        marker, replace = self._store.value(UNFINISHED), self._options.existing == "replace"

        def look(connection: Connection) -> tuple[bool, bool]:
            exists = accounts.within(connection).exists(host, local)
            return exists, exists and marker.within(connection).get(self.jid.text) is not None

        exists, unfinished = await self._store.read(look)
        if exists and not unfinished and self._options.existing == "skip":
            return False
        self.fresh = not exists or unfinished or replace
        self._nothing = not exists or replace
        keys = self._made(password) if self.fresh and password else ()
        self._keys = bool(keys)
        if self._options.dry_run:
            self._report.count("accounts", 1, int(self.fresh))
            return True
        if exists and not unfinished:
            changed(self.jid)
            if replace:
                await self._store.messages.clear(self.jid.text)

        def put(connection: Connection) -> int:
            rows = accounts.within(connection)
            if exists and replace and not unfinished:
                rows.remove(host, local)
            if not rows.exists(host, local):
                rows.create(host, local, keys, created=self.started)
                marker.within(connection).set(self.jid.text, "")
                return 1
            if unfinished:
                rows.add_keys(host, local, keys)
            return 0

        await self.store("accounts", 1, put)
        return True

    def _made(self, password: str) -> tuple[ScramKeys, ...]:
        try:
            return make_keys(prepare_password(password))
        except ValueError as error:
            self.complain(f"{error}; it can't log in until chirrup user passwd gives it a password")
            return ()

    async def take(self, element: Element, within: Name | None) -> None:
        name = within or (element.name, element.ns)
        part = self._takes.get(name)
        if part is not None:
            await part.take(element, self)
        elif name not in _OWN:
            self.leave_out(f"<{name[0]} xmlns='{name[1]}'/>")
        elif element.name == "account":
            await self._take_account(element)
        elif self.fresh and not self._keys:
            await self._take_keys(element)

    async def _take_keys(self, element: Element) -> None:
        algorithm = element.get("mechanism").removeprefix("SCRAM-")
        if algorithm not in HASHES:
            self.leave_out(f"credentials for {element.get('mechanism') or 'an unnamed mechanism'}")
            return
        keys = scram_keys(element, algorithm)
        accounts, host, local = self._store.accounts, self.jid.domain, self.jid.local

        def put(connection: Connection) -> int:
            rows = accounts.within(connection)
            before = rows.keys(host, local) or {}
            rows.add_keys(host, local, [keys])
            return int(algorithm not in before)

        await self.store("credentials", 1, put)

    async def _take_account(self, element: Element) -> None:
        if not self.fresh:
            return
        changes: dict[str, Any] = {"disabled": element.get("disabled") == "true"}
        for name in ("created", "last_login", "last_logout"):
            if name in element.attrs:
                changes[name] = min(parse_datetime(element.get(name)).timestamp(), self.started)
        accounts, host, local = self._store.accounts, self.jid.domain, self.jid.local
        await self.store(
            "notes on accounts", 1, lambda found: int(accounts.within(found).change(host, local, **changes))
        )

    async def finish(self) -> None:
        """There is nothing more of the account."""
        for part in sorted(self._parts, key=lambda part: part.finishes_last):
            await part.finish(self)
        if self._options.dry_run:
            return
        marker, owner = self._store.value(UNFINISHED), self.jid.text
        await self._batch.put(self.jid, "", 0, lambda connection: int(marker.within(connection).delete(owner)))
        self._batch.complete(self.jid)


def scram_keys(element: Element, algorithm: str) -> ScramKeys:
    """Raises ValueError for what can't be keys."""
    texts = {name: element.child_text(name) for name in ("salt", "server-key", "stored-key")}
    octets = {name: _decoded(text) for name, text in texts.items()}
    count = element.child_text("iter-count").strip()
    if not count.isascii() or not count.isdigit() or len(count) > 9:
        raise ValueError(f"the iteration count {count!r} is no number")
    if int(count) > MAX_ITERATIONS:
        raise ValueError(f"{count} iterations are more than clients and servers work for")
    try:
        return ScramKeys(algorithm, octets["salt"], int(count), octets["stored-key"], octets["server-key"])
    except ValueError:
        # ejabberd writes what is base64 in its store already in base64 once more.
        twice = {name: _decoded(value.decode("ascii", "replace")) for name, value in octets.items()}
        return ScramKeys(algorithm, twice["salt"], int(count), twice["stored-key"], twice["server-key"])


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("its keys are no base64") from None
