"""Catching up: what was said while a client was away comes to it after all, out of the archive."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, filter_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.archive.client import Archive, Archived, Page
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.stanza_ids import NS as STANZA_IDS
from chirrup.ext.stanza_ids.payloads import StanzaId

log: Final = logging.getLogger("chirrup.client")

MOST_SEEN: Final = 10_000
"""So many ids of messages are remembered, the latest, to see which come a second time."""
_PAGE: Final = 100
_AHEAD: Final = 10
"""Pages that are fetched before presence is sent; what is more comes while the client is online."""
_SESSIONS: Final = 100


class CatchUp(Feature):
    """Gives the program each message once, whatever became of the connection: when a session couldn't be resumed,
    what the account received since is fetched from its archive, in its order, and comes as messages do, with a
    <delay/> that says when it was sent. What the account's other clients sent is among it if `Carbons` is switched on.

    What comes while the archive is being read comes at once, so before what is older. Rooms have archives of their
    own, and aren't in it.

    client = Client(jid, password, features=[CatchUp])
    client.need(CatchUp).last = last  # what was saved of it when the program ran last
    """

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._archive = self.need(Archive)
        self.last: str | None = None
        """The archive's id of the last message that the program was given; "" if there was none yet. Without one, a
        first session begins with what comes in it. If the archive has dropped that message, it has dropped what was
        before it too, and is read from its beginning."""
        self._works = False
        self._again = False
        self._fetching = False
        self._giving = False
        self._newest = ""  # of what came while fetching
        self._seen: dict[str, None] = {}
        self._sessions: deque[JID] = deque(maxlen=_SESSIONS)
        self._task: asyncio.Task[Any] | None = None

    async def session_bound(self) -> None:
        self._sessions.append(self.client.jid)
        self._again = self.last is not None
        if self._again:
            await self._fetch(_AHEAD)
            return
        self._works = True
        try:
            page = await self._archive.page(before="", limit=1)
        except StanzaError:
            self._works = False
            raise
        self.last = self.last or page.last

    async def session_ready(self) -> None:
        """Since presence was sent messages come; between that and the last page there may be some."""
        if self._works and self._again:
            self._task = self.entity.spawn(self._fetch())

    def session_ended(self) -> None:
        self._works = self._fetching = False
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # -- what comes

    @filter_message(StanzaId)
    def came(self, message: Message, stanza_id: StanzaId) -> Message | None:
        """The server lets nobody else give ids in the account's name, if it has archives (XEP-0359 §5)."""
        if self._giving or not self._works or stanza_id.by != self.client.account:
            return message
        if stanza_id.id in self._seen:
            return None
        self._note(stanza_id.id)
        if self._fetching:
            self._newest = stanza_id.id
        else:
            self.last = stanza_id.id
        return message

    def _note(self, id_: str) -> None:
        self._seen[id_] = None
        if len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    # -- what is fetched

    async def _fetch(self, pages: int | None = None) -> None:
        """Fetch what came after `last`: so many pages at most, and no more than handlers have room for, or all."""
        self._newest = ""
        self._fetching = self._works = True
        while True:
            page = await self._page()
            for archived in page.messages:
                if archived.id not in self._seen:
                    self._note(archived.id)
                    self._give(archived)
            known, self.last = self.last, page.last or self.last
            if page.complete or self.last == known:
                self._fetching = False
                self.last = self._newest or self.last
                return
            if pages is None:
                await self.entity.catch_breath()
            elif pages == 1 or self.entity.behind:
                return
            else:
                pages -= 1

    async def _page(self) -> Page:
        try:
            return await self._archive.page(after=self.last or None, limit=_PAGE)
        except StanzaError as error:
            self._works = False
            if error.condition != "item-not-found" or not self.last:
                raise
        log.warning("%s: the archive doesn't reach back to what was seen last", self.client.account)
        page = await self._archive.page(limit=_PAGE)
        self._works = True
        return page

    def _give(self, archived: Archived) -> None:
        message, account = archived.message, self.client.account
        if message.type in ("error", "groupchat"):
            return
        if message.outgoing and (message.sender in self._sessions or self.entity.find(Carbons) is None):
            return
        if not any(one.get("by") == account.text for one in message.element.elements("stanza-id", STANZA_IDS)):
            message.add(StanzaId(archived.id, account))
        if archived.stamp is not None and not message.has(Delay):
            message.add(Delay(archived.stamp, account))
        self._giving = True
        try:
            self.entity.give(message)
        finally:
            self._giving = False
