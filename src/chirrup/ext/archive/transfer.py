"""Archives, and what accounts want to have in them, exported and imported (XEP-0227, Message Archive)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chirrup.core.xml import Element
from chirrup.ext.archive import NS
from chirrup.ext.archive.payloads import Preferences, Result
from chirrup.ext.archive.preferences import Wishes
from chirrup.ext.archive.results import result
from chirrup.ext.offline.arriving import LEEWAY, cleaned, id_for, message_from
from chirrup.server.transfer import ARCHIVE, Incoming, Part
from chirrup.store.message_rows import Message, Range

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.core.jid import JID
    from chirrup.store import Store

_PAGE: Final = 500
_OCTETS: Final = 1_000_000
"""Octets of messages, about, after which what is held at once ends before it is a page."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Transfer(Part):
    """The account's messages."""

    takes = frozenset({("prefs", NS)})
    opens = frozenset({("archive", ARCHIVE)})

    def __init__(self, store: Store, owner: JID) -> None:
        super().__init__(store, owner)
        self._last = 0
        self._taken: list[Message] = []
        self._octets = 0

    async def export(self) -> AsyncIterator[str]:
        owner, messages = self.owner.text, self.store.messages
        wishes = await self.store.value("archive_preferences").get(owner)
        if wishes is not None:
            yield str(Wishes.from_text(wishes).to_payload().to_element())
        page = await messages.page(owner, Range(), limit=_PAGE, octets=_OCTETS)
        if page:
            yield f"<archive xmlns='{ARCHIVE}'>"
            while page:
                for message in page:
                    yield result(message, messages.uid(message.id))
                page = await messages.page(owner, Range(after=page[-1].id), limit=_PAGE, octets=_OCTETS)
            yield "</archive>"

    async def take(self, element: Element, incoming: Incoming) -> None:
        if element.name == "prefs":
            await self._take_preferences(element, incoming)
            return
        forwarded = Result.parse(element).forwarded
        stanza = forwarded.stanza
        if forwarded.delay is None or stanza is None or stanza.name != "message":
            raise ValueError("an archived message without its time, or without itself")
        moment = forwarded.delay.stamp
        if moment.timestamp() > incoming.started + LEEWAY:
            moment = _EPOCH  # somebody's clock was wrong: it isn't to come after what follows
        # Ascending, as the store wants it, and as the document says that they are.
        number = max(id_for(moment, self.owner), self._last + 1)
        message = cleaned(stanza, self.owner, waited=False)
        taken = message_from(number, message, self.owner, archived=True, waiting=False)
        self._taken.append(taken)
        self._last = number
        self._octets += len(taken.value)
        if len(self._taken) >= _PAGE or self._octets >= _OCTETS:
            await self.finish(incoming)

    async def finish(self, incoming: Incoming) -> None:
        taken, self._taken = self._taken, []
        size, self._octets = self._octets, 0
        owner = self.owner.text

        def put(connection: Connection) -> int:
            rows = self.store.messages.within(connection)
            rows.forget_index(owner)
            return rows.bring_in(owner, taken)

        if taken:
            await incoming.store("archived messages", len(taken), put, size=size)

    async def _take_preferences(self, element: Element, incoming: Incoming) -> None:
        text = Wishes.from_payload(Preferences.parse(element), "always").to_text()
        values, owner = self.store.value("archive_preferences"), self.owner.text

        def put(connection: Connection) -> int:
            rows = values.within(connection)
            if rows.get(owner) is not None:
                return 0
            rows.set(owner, text)
            return 1

        await incoming.store("archive preferences", 1, put)
