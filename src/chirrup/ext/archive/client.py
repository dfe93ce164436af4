"""A client's archive: what was said before, on whichever device (XEP-0313)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, filter_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import AddressError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.values import format_datetime
from chirrup.ext.archive import EXTENDED, FULL_TEXT_FIELD, NS
from chirrup.ext.archive.payloads import Fin, Metadata, Preferences, Query, Result
from chirrup.ext.disco.client import Disco
from chirrup.ext.forms.payloads import Form
from chirrup.ext.rsm.payloads import Set

_PAGE: Final = 50


@record
class Archived:
    """A message of an archive."""

    id: str
    """Its id there, with which a later query goes on."""
    stamp: datetime | None
    """When it was sent or received."""
    message: Message
    """With `outgoing` where the account sent it."""


@record
class Page:
    """Messages in the order in which they came."""

    messages: tuple[Archived, ...]
    complete: bool
    """Whether there are no more beyond this page."""
    count: int | None
    """How many fit in all, where the server says it."""
    first: str = ""
    last: str = ""
    """The ids of the page's ends; "" for one without messages."""


class Which(TypedDict, total=False):
    """Which messages of which archive."""

    at: JID | str | None
    """Whose archive: a room's; by default the account's own."""
    with_: JID | str | None
    """With whom, or from whom in a room; a bare JID stands for all its resources."""
    start: datetime | None
    """From that moment on."""
    end: datetime | None
    """Up to that moment."""
    ids: Sequence[str]
    """Exactly these."""
    text: str | None
    """With these words in them, where the server can search (XEP-0431)."""


@dataclass(slots=True)
class _Open:
    """A query that waits for its end."""

    at: JID | None
    limit: int
    found: list[Archived] = field(default_factory=list)


class Archive(Feature):
    """Asks archives: the account's own, or with `at` that of a room."""

    xeps = ((313, "1.1.3", ""), (441, "0.2.0", ""), (431, "0.2.0", ""), (59, "1.0", ""))

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._open: dict[str, _Open] = {}
        self._extended: dict[JID, bool] = {}

    def session_ended(self) -> None:
        self._extended.clear()

    # -- messages

    async def messages(
        self,
        *,
        after: str | None = None,
        before: str | None = None,
        newest_first: bool = False,
        limit: int = _PAGE,
        timeout: float | None = None,
        **which: Unpack[Which],
    ) -> AsyncIterator[Archived]:
        """All messages that fit, between an id and another: the oldest first, or the newest. `limit` is how many are
        asked for at a time; `which` as for `page`.

            async for archived in archive.messages(with_="juliet@example.org", newest_first=True): …"""
        fields: dict[str, Any] = {"after-id": after} if newest_first else {"before-id": before}
        cursor = (before or "") if newest_first else after
        while True:
            set_ = Set(max=limit, before=cursor) if newest_first else Set(max=limit, after=cursor)
            page = await self._page(set_, fields, which, timeout)
            for one in reversed(page.messages) if newest_first else page.messages:
                yield one
            following = page.first if newest_first else page.last
            if page.complete or not following or following == cursor:
                return
            cursor = following

    async def page(
        self,
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int = _PAGE,
        timeout: float | None = None,
        **which: Unpack[Which],
    ) -> Page:
        """Up to `limit` messages that fit: the first after an id, or the last before one. With `before=""` they are
        the newest there are.

        Raises StanzaError: "item-not-found" where the archive has no message with such an id any more,
        "feature-not-implemented" where it can't search for words, or not by id."""
        if after is not None and before is not None:
            return await self._page(Set(max=limit, before=""), {"after-id": after, "before-id": before}, which, timeout)
        return await self._page(Set(max=limit, after=after, before=before), {}, which, timeout)

    async def _page(self, page: Set, between: Mapping[str, str | None], which: Which, timeout: float | None) -> Page:
        place, peer, ids = which.get("at"), which.get("with_"), which.get("ids")
        if ids is not None and not ids:
            return Page((), complete=True, count=0)
        at = JID.parse(place) if isinstance(place, str) else place
        extended: dict[str, Any] = {name: value for name, value in between.items() if value}
        if ids:
            extended["ids"] = tuple(ids)
        if extended and not await self._is_extended(at):
            raise StanzaError("feature-not-implemented", "this archive can't be asked for messages by their ids")
        fields: dict[str, Any] = {"with": peer and str(peer), FULL_TEXT_FIELD: which.get("text")} | extended
        for name, stamp in (("start", which.get("start")), ("end", which.get("end"))):
            fields[name] = stamp and format_datetime(stamp)
        return await self._ask(at, {name: value for name, value in fields.items() if value}, page, timeout)

    async def _is_extended(self, at: JID | None) -> bool:
        """Whether the archive knows the fields about ids: else it mayn't be asked by them (§4.1)."""
        address = at or self.entity.jid.bare
        if address not in self._extended:
            self._extended[address] = await self.need(Disco).supports(address, EXTENDED)
        return self._extended[address]

    async def _ask(self, at: JID | None, fields: Mapping[str, Any], page: Set, timeout: float | None) -> Page:
        queryid = self.entity.make_id()
        waiting = self._open[queryid] = _Open(at, page.max or 0)
        try:
            query = Query(queryid, form=Form.of("submit", NS, fields) if fields else None, set=page)
            fin = await self.entity.request(query, to=at, type="set", result=Fin, timeout=timeout)
        finally:
            del self._open[queryid]
        found = tuple(waiting.found)
        told = fin.set or Set()
        first = told.first.uid if told.first else found[0].id if found else ""
        last = told.last or (found[-1].id if found else "")
        return Page(found, fin.complete, told.count, first, last)

    @filter_message(Result)
    def found(self, message: Message, result: Result) -> Message | None:
        """Nobody but the archive that was asked can answer (§8.2); what else pretends to is forgotten."""
        query = self._open.get(result.queryid or "")
        if query is None or len(query.found) >= query.limit:
            return None
        asked = self.entity.is_own(message.sender) if query.at is None else message.sender == query.at
        stanza = result.forwarded.stanza
        if not asked or stanza.name != "message":
            return None
        try:
            sender = JID.parse(stanza.attrs["from"])
        except (KeyError, AddressError):
            return None
        archived = Message.received(stanza, sender, self.entity)
        archived.outgoing = query.at is None and sender.bare == self.entity.jid.bare
        delay = result.forwarded.delay
        query.found.append(Archived(result.id, delay.stamp if delay else None, archived))
        return None

    async def ends(self, *, at: JID | str | None = None) -> Metadata:
        """The ids and stamps of the first message and the last."""
        return await self.entity.request(Metadata(), to=at)

    # -- preferences

    async def preferences(self) -> Preferences:
        """What the account wants to have archived (XEP-0441)."""
        return await self.entity.request(Preferences())

    async def set_preferences(self, preferences: Preferences) -> Preferences:
        """Say what is to be archived; what holds now, which may be something else."""
        return await self.entity.request(preferences, type="set", result=Preferences)
