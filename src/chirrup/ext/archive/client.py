"""A client's archive: what was said before, on whichever device (XEP-0313)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, filter_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.values import format_datetime
from chirrup.ext.archive import FULL_TEXT_FIELD, NS
from chirrup.ext.archive.payloads import Fin, Metadata, Preferences, Query, Result
from chirrup.ext.forms.payloads import Form
from chirrup.ext.rsm.payloads import Set

_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Archived:
    """A message of an archive."""

    id: str
    """Its id there, with which a later query goes on."""
    stamp: datetime | None
    """When it was sent or received."""
    message: Message


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the order in which they came."""

    messages: tuple[Archived, ...]
    complete: bool
    """Whether there are no more beyond this page."""
    count: int | None
    """How many fit in all, where the server says it."""


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

    async def page(
        self,
        *,
        at: JID | str | None = None,
        with_: JID | str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        text: str | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int = _PAGE,
        timeout: float | None = None,
    ) -> Page:
        """Up to `limit` messages: with somebody, from or until a moment, with words in them; the first after an id, or
        the last before one. With `before=""` they are the newest there are.

        Raises StanzaError: "item-not-found" where the archive has no message with that id any more."""
        fields: dict[str, Any] = {"with": with_ and str(with_), FULL_TEXT_FIELD: text}
        fields |= {name: format_datetime(stamp) for name, stamp in (("start", start), ("end", end)) if stamp}
        set_ = Set(max=limit, after=after, before=before)
        return await self._ask(JID.parse(at) if isinstance(at, str) else at, fields, set_, timeout)

    async def messages(self, *, after: str | None = None, limit: int = _PAGE, **which: Any) -> AsyncIterator[Archived]:
        """All messages after an id, or all there are, the oldest first; `which` as for `page`, which asks for `limit`
        at a time."""
        while True:
            page = await self.page(after=after, limit=limit, **which)
            for one in page.messages:
                yield one
            if page.complete or not page.messages:
                return
            after = page.messages[-1].id

    async def _ask(self, at: JID | None, fields: Mapping[str, Any], page: Set, timeout: float | None) -> Page:
        form = Form.of("submit", NS, {name: value for name, value in fields.items() if value})
        queryid = self.entity.make_id()
        waiting = self._open[queryid] = _Open(at, page.max or 0)
        try:
            query = Query(queryid, form=form if len(form.fields) > 1 else None, set=page)
            fin = await self.entity.request(query, to=at, type="set", result=Fin, timeout=timeout)
        finally:
            del self._open[queryid]
        return Page(tuple(waiting.found), fin.complete, fin.set.count if fin.set else None)

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

    async def preferences(self) -> Preferences:
        """What the account wants to have archived (XEP-0441)."""
        return await self.entity.request(Preferences())

    async def set_preferences(self, preferences: Preferences) -> Preferences:
        """Say what is to be archived; what holds now, which may be something else."""
        return await self.entity.request(preferences, type="set", result=Preferences)
