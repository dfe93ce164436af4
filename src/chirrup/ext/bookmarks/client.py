"""A client's bookmarks of rooms (XEP-0402)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.client.feed import Feed, Feeds
from chirrup.core.errors import AddressError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.bookmarks import NS
from chirrup.ext.bookmarks.payloads import Conference
from chirrup.ext.pubsub.client import PRIVATE, Pubsub
from chirrup.ext.pubsub.events import Event, Published, Retracted


@record
class Change:
    """What became of a bookmark, here or at another client."""

    room: JID
    bookmark: Conference | None
    """None for one that was removed."""


class Bookmarks(Feature):
    """The account's bookmarks: loaded when a session begins, and kept up to date by what the server tells."""

    xeps = ((402, "1.2.0", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._node = self.need(Pubsub).node(NS, Conference)
        self._rooms: dict[JID, Conference] = {}
        self._changes: Feeds[Change] = Feeds()
        self.need(Pubsub).want(NS)
        self._reading: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[JID]:
        return iter(tuple(self._rooms))

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, room: JID | str) -> Conference | None:
        return self._rooms.get(_jid(room))

    def changes(self) -> Feed[Change]:
        """What changes from now on."""
        return self._changes.open(most=1_000)

    async def session_bound(self) -> None:
        await self.load()

    def session_ended(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def load(self) -> Bookmarks:
        """Ask for all of them."""
        now: dict[JID, Conference] = {}
        events = self._node.events()  # from before the answer, or some would be missed
        try:
            async for item in self._node.all(limit=100):
                room = _room(item.id)
                if room is not None and item.payload is not None:
                    now[room] = item.payload
        except StanzaError as error:
            if error.condition != "item-not-found":
                raise
        for room in [room for room in self._rooms if room not in now]:
            self._note(room, None)
        for room, bookmark in now.items():
            self._note(room, bookmark)
        if self._reading is not None:
            self._reading.cancel()
        self._reading = self.entity.spawn(self._read(events))
        return self

    async def _read(self, events: Feed[Event[Conference]]) -> None:
        async for event in events:
            match event:
                case Published(id=id_, payload=bookmark):
                    if (room := _room(id_)) is not None:
                        self._note(room, bookmark)
                case Retracted(id=id_):
                    if (room := _room(id_)) is not None:
                        self._note(room, None)
                case _:
                    for room in self:
                        self._note(room, None)

    def _note(self, room: JID, bookmark: Conference | None) -> None:
        if self._rooms.get(room) == bookmark:
            return
        if bookmark is None:
            del self._rooms[room]
        else:
            self._rooms[room] = bookmark
        self._changes.put(Change(room, bookmark))

    async def set(
        self, room: JID | str, *, name: str | None = None, autojoin: bool | None = None, nick: str | None = None,
        password: str | None = None,
    ) -> Conference:  # fmt: skip
        """Bookmark a room, or change its bookmark: what is left out stays, with what other clients keep with it (§3.2).
        Raises StanzaError."""
        address = _jid(room)
        known = self._rooms.get(address, Conference())
        bookmark = Conference(
            known.name if name is None else name,
            known.autojoin if autojoin is None else autojoin,
            known.nick if nick is None else nick,
            known.password if password is None else password,
            known.extensions,
        )
        await self._publish(address, bookmark)
        self._note(address, bookmark)
        return bookmark

    async def _publish(self, room: JID, bookmark: Conference) -> None:
        """Where the node is configured otherwise it is made private first: passwords may be in it."""
        try:
            await self._node.publish(bookmark, room.text, options=PRIVATE)
        except StanzaError as error:
            if error.condition != "conflict":
                raise
            await self._node.configure(PRIVATE)
            await self._node.publish(bookmark, room.text, options=PRIVATE)

    async def remove(self, room: JID | str) -> None:
        """Raises StanzaError."""
        address = _jid(room)
        await self._node.retract(address.text)
        self._note(address, None)


def _jid(room: JID | str) -> JID:
    return (JID.parse(room) if isinstance(room, str) else room).bare


def _room(id_: str) -> JID | None:
    try:
        room = JID.parse(id_)
    except AddressError:
        return None
    return room if room.local and room.is_bare else None
