"""A client's avatar, and those of others (XEP-0084)."""

from __future__ import annotations

import hashlib

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature
from chirrup.client.feed import Feed
from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.avatar import DATA, METADATA
from chirrup.ext.avatar.payloads import Data, Info, Metadata
from chirrup.ext.pubsub.client import Config, Pubsub
from chirrup.ext.pubsub.events import Event


@record
class Avatar:
    """A picture."""

    data: bytes
    type: str
    """Its media type, as its owner says."""
    width: int | None = None
    height: int | None = None

    @property
    def id(self) -> str:
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()


class Avatars(Feature):
    """Pictures of people.

    async for event in client.need(Avatars).changes(): …  # a Published[Metadata] each, from event.sender
    picture = await client.need(Avatars).fetch("juliet@example.org")
    """

    xeps = ((84, "1.1.4", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._pubsub = self.need(Pubsub)
        self.largest = 1_000_000
        """Octets of a picture that are fetched at most."""

    async def publish(
        self, data: bytes, type: str = "image/png", *, width: int | None = None, height: int | None = None,  # noqa: A002
        options: Config | None = None,
    ) -> Avatar:  # fmt: skip
        """Show this picture. `options` are for both nodes, such as {"access_model": "open"}. Raises StanzaError."""
        avatar = Avatar(data, type, width, height)
        await self._pubsub.node(DATA, Data).publish(Data(data), avatar.id, options=options)
        info = Info(avatar.id, len(data), type, None, width, height)
        await self._pubsub.node(METADATA, Metadata).publish(Metadata((info,)), avatar.id, options=options)
        return avatar

    async def remove(self) -> None:
        """Show none any more (§4.2.3)."""
        await self._pubsub.node(METADATA, Metadata).publish(Metadata())

    async def info(self, jid: JID | str | None = None) -> Info | None:
        """What somebody's picture is; None if they have none. Where there are several forms of it, it is the one that
        is in their node of pictures."""
        published = await self._pubsub.node(METADATA, Metadata, at=jid).last()
        infos = published.payload.infos if published is not None and published.payload is not None else ()
        return next((info for info in infos if info.url is None), None)

    async def fetch(self, jid: JID | str | None = None, info: Info | None = None) -> Avatar | None:
        """Somebody's picture, or the one that `info` tells of; None if they have none.

        Raises PayloadError for one that isn't what its hash says, or larger than `largest`, and StanzaError."""
        found = info if info is not None else await self.info(jid)
        if found is None:
            return None
        if found.bytes > self.largest:
            raise PayloadError(f"the avatar has {found.bytes} octets, and {self.largest} are enough")
        try:
            items = await self._pubsub.node(DATA, Data, at=jid).items(found.id)
        except StanzaError as error:
            if error.condition == "item-not-found":
                return None
            raise
        data = next((item.payload.data for item in items if item.payload is not None), None)
        if data is None:
            return None
        avatar = Avatar(data, found.type, found.width, found.height)
        if avatar.id != found.id.lower():
            raise PayloadError("the avatar isn't the one that its hash is of (XEP-0084 §4.1)")
        return avatar

    def changes(self) -> Feed[Event[Metadata]]:
        """What others show from now on; the own account's other clients too."""
        return self._pubsub.events(Metadata)
