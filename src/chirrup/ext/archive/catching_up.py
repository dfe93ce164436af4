"""Catching up: what was said while a client was away comes to it after all, out of the archive."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final

from chirrup.client.backoff import delays
from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, filter_message
from chirrup.client.stanzas import Message
from chirrup.core.errors import DeadlineError, StanzaError
from chirrup.core.jid import JID
from chirrup.ext.archive.client import Archive, Archived, Page
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.stanza_ids import NS as STANZA_IDS
from chirrup.ext.stanza_ids.payloads import StanzaId
from chirrup.net.clock import sleep

log: Final = logging.getLogger("chirrup.client")

MOST_SEEN: Final = 10_000
"""So many ids of messages are remembered, the latest, to see which come a second time."""
_PAGE: Final = 100
_AHEAD: Final = 10
"""Pages that are fetched before presence is sent; what is more comes while the client is online."""
_SESSIONS: Final = 100
_STEPS_BACK: Final = (2, 4, 16, 64, 256, 1024, 4096)
"""Which of the messages that were seen last are looked for, counted from the end, if the last one is unknown."""
_MOST_HELD: Final = 1_000
"""Messages that wait while the archive is being read; what is more is found there."""


class CatchUp(Feature):
    """Gives the program each message once, whatever became of the connection: when a session couldn't be resumed,
    what the account received since is fetched from its archive, in its order, and comes as messages do, with a
    <delay/> that says when it was sent. What the account's other clients sent is among it if `Carbons` is switched on.

    What comes while the archive is being read waits for its turn, and comes at once if the archive can't be read; that
    is tried again then. Rooms have archives of their own, and aren't in it.

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
        self._works = True  # until the server has said that there is no archive
        self._reading = True  # what comes now waits for what is older
        self._held: dict[str, Message] = {}  # by id
        self._missed = False  # whether more came than may wait
        self._caught_up = False  # whether the program has all that is in the archive
        self._giving = False
        self._seen: dict[str, None] = {}
        self._sessions: deque[JID] = deque(maxlen=_SESSIONS)
        self._task: asyncio.Task[Any] | None = None

    @property
    def reads_archive(self) -> bool:
        """Without knowing where to go on from, nobody would look for what has waited."""
        return self._works and self.last is not None

    async def session_bound(self) -> None:
        self._sessions.append(self.client.jid)
        self._works = True
        try:
            await self._read(_AHEAD)
        except StanzaError as error:
            self._works = error.type == "wait"
            raise

    async def session_ready(self) -> None:
        """Since presence was sent messages come; between that and the last page there may be some."""
        if self._works and not self._caught_up:
            self._task = self.entity.spawn(self._read_all())

    def session_ended(self) -> None:
        """What waits is found in the archive again."""
        self._caught_up = self._missed = False
        self._reading = True
        self._held.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # -- what comes

    @filter_message(StanzaId)
    def came(self, message: Message, stanza_id: StanzaId) -> Message | None:
        """The server lets nobody else give ids in the account's name, if it has archives (XEP-0359 §5)."""
        id_ = stanza_id.id
        if self._giving or stanza_id.by != self.client.account:
            return message
        if id_ in self._seen:
            return None
        if self._reading:
            if len(self._held) < _MOST_HELD:
                self._held.setdefault(id_, message)
            else:
                self._missed = True
            return None
        self._note(id_)
        if self._caught_up:
            self.last = id_
        return message

    def _note(self, id_: str) -> None:
        self._seen[id_] = None
        if len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    # -- what is fetched

    async def _read_all(self) -> None:
        """Read until there is nothing more, also if the archive can't be read for a while."""
        for delay in delays():
            try:
                await self._read()
            except (StanzaError, DeadlineError) as error:
                log.warning("%s: what was missed can't be fetched: %s", self.client.account, error)
                if isinstance(error, StanzaError) and error.type != "wait":
                    return
                await sleep(self.entity.clock, delay)
            else:
                return

    async def _read(self, pages: int | None = None) -> None:
        self._reading = True
        try:
            if self.last is None:
                self.last, self._caught_up = await self._newest(), True
            else:
                self._caught_up = await self._fetch(pages)
        except (StanzaError, DeadlineError):
            self._release()
            raise
        if self._caught_up:
            self._release()

    async def _newest(self) -> str:
        """The id of the archive's last message. It isn't fetched where that can be helped: what was is no longer
        delivered."""
        try:
            end = (await self._archive.ends()).end
        except StanzaError as error:
            if error.type == "wait":
                raise
            return (await self._archive.page(before="", limit=1)).last
        return end.id if end is not None else ""

    async def _fetch(self, pages: int | None) -> bool:
        """Fetch what came after `last`: so many pages at most, and no more than handlers have room for, or all. Whether
        that was all, and what comes from now on can follow."""
        while True:
            page = await self._page()
            for archived in page.messages:
                held = self._held.pop(archived.id, None)
                if archived.id not in self._seen:
                    self._note(archived.id)
                    self._give(held or self._as_it_came(archived))
            known, self.last = self.last, page.last or self.last
            if page.complete or self.last == known:
                if pages is not None or not self._missed:
                    return pages is None
                self._missed = False
            elif pages is None:
                await self.entity.catch_breath()
            elif pages == 1 or self.entity.behind:
                return False
            else:
                pages -= 1

    def _release(self) -> None:
        """Give what waited, and let what comes pass."""
        self._reading = False
        held, self._held = self._held, {}
        for id_, message in held.items():
            if id_ not in self._seen:
                self._note(id_)
                self._give(message)
            if self._caught_up:
                self.last = id_

    async def _page(self) -> Page:
        try:
            return await self._archive.page(after=self.last or None, limit=_PAGE)
        except StanzaError as error:
            if error.condition != "item-not-found" or not self.last:
                raise
        return await self._page_after_an_earlier_one()

    async def _page_after_an_earlier_one(self) -> Page:
        """The archive doesn't have the last message: a server that was killed may have given it out and not stored it,
        so it is asked for what came after earlier ones. If it has none of them, all that was seen is gone.

        What came since it couldn't be read is no earlier one: the messages that are missed come before that."""
        seen = list(self._seen)
        seen = seen[: seen.index(self.last) + 1] if self.last in self._seen else []
        for steps in _STEPS_BACK:
            if steps > len(seen):
                break
            try:
                page = await self._archive.page(after=seen[-steps], limit=_PAGE)
            except StanzaError as error:
                if error.condition != "item-not-found":
                    raise
            else:
                self.last = seen[-steps]
                return page
        log.warning("%s: the archive doesn't reach back to what was seen last", self.client.account)
        return await self._archive.page(limit=_PAGE)

    def _as_it_came(self, archived: Archived) -> Message | None:
        """A message out of the archive as it would have come; None if it wouldn't have."""
        message, account = archived.message, self.client.account
        if message.type in ("error", "groupchat"):
            return None
        if message.outgoing and (message.sender in self._sessions or self.entity.find(Carbons) is None):
            return None
        if not any(one.get("by") == account.text for one in message.element.elements("stanza-id", STANZA_IDS)):
            message.add(StanzaId(archived.id, account))
        if archived.stamp is not None and not message.has(Delay):
            message.add(Delay(archived.stamp, account))
        return message

    def _give(self, message: Message | None) -> None:
        if message is None:
            return
        self._giving = True
        try:
            self.entity.give(message)
        finally:
            self._giving = False
