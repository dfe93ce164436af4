"""Avatars at the server: what is published goes into the vCard and the other way round, and presence tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.avatar import CONVERSION, DATA, METADATA, UPDATE
from chirrup.ext.avatar.payloads import Data, Metadata, Update
from chirrup.ext.avatar.pictures import Picture, read_photo, with_photo
from chirrup.ext.pubsub.engine import Change
from chirrup.ext.pubsub.personal import PersonalService
from chirrup.ext.pubsub.server import PersonalEventing
from chirrup.ext.vcard.server import VCards
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Session, Xep

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OPEN: Final = {"access_model": "open"}
"""How the nodes are made for a picture that was in a vCard, which everybody may read."""


class Photo:
    """Which picture is in an account's vCard: its hash, "" if there is none. Kept with the account."""

    __slots__ = ("hash",)

    def __init__(self, hash_: str) -> None:
        self.hash = hash_


class Silent:
    """Marks a session whose client says that there shall be no picture."""


class Avatars(Module):
    """Makes published avatars and the pictures in vCards the same, and tells in presence which one it is."""

    needs = ("vcard", "pubsub")
    xeps = (Xep(84, "1.1.4"), Xep(153, "1.1.1"), Xep(398, "1.0.0"))
    account_features = (CONVERSION,)
    needs_accounts = True

    async def start(self) -> None:
        self._hashes = self.host.store.value("avatar")
        self._cards = self.need(VCards)
        self._cards.watch(self._card_changed)
        self._pubsub = self.need(PersonalEventing)
        self._pubsub.also_load(self._stored, self._loaded)
        self._pubsub.observe(METADATA, self._published)
        self._told: Element | None = None
        """The presence that is sent because of another picture, and not by a client."""

    @hooks.account_loading(after=["pubsub"])
    async def load(self, account: Account) -> None:
        if account.find(Photo) is None:  # what it has is from before pictures were looked for, or from elsewhere
            picture = await self._photo_of(account)
            account.put(Photo(picture.hash if picture is not None else ""))
            stored = self._hashes.set(account.jid.text, account.get(Photo).hash)
            stored.add_done_callback(lambda future: future.cancelled() or future.exception())  # it is looked for again
            published = self._pubsub.config(account, METADATA) is not None
            if picture is not None and not published:
                self.host.server.spawn(self._publish(account, picture))
            elif picture is None and published:
                self.host.server.spawn(self._take_over(account))

    def _stored(self, connection: Connection, owner: str) -> tuple[str | None, bool]:
        """The hash that is kept, None where nobody has looked for a picture; and whether there may be a vCard."""
        found = self._hashes.within(connection).get(owner)
        return found, found is not None or self._cards.has(connection, owner)

    def _loaded(self, account: Account, stored: tuple[str | None, bool]) -> None:
        found, has_card = stored
        if found is None and not has_card and self._pubsub.config(account, METADATA) is None:
            found = ""
        if found is not None:
            account.put(Photo(found))

    async def _take_over(self, account: Account) -> None:
        """Put a picture into the vCard that was published elsewhere."""
        for stored in (await self._pubsub.items(account, METADATA))[-1:]:
            if stored.payload:
                await self._follow(account, parse_element(stored.payload))

    async def _photo_of(self, account: Account) -> Picture | None:
        card = await self._cards.read(account.jid)
        return None if card is None else read_photo(card)

    # -- from what is published to the vCard

    async def _published(self, change: Change) -> None:
        """Put the picture that somebody has now into the vCard (XEP-0398 §4.1), if all may see it (§8)."""
        service = change.service
        if change.by_server or not isinstance(service, PersonalService):
            return
        account = service.account
        if change.payload is None and await self._pubsub.items(account, METADATA):
            return
        await self._follow(account, Metadata().to_element() if change.payload is None else change.payload)

    async def _follow(self, account: Account, payload: Element) -> None:
        """Make the picture in the vCard the one that is published now. One that is for some only is in it no longer."""
        try:
            metadata = Metadata.parse(payload)
        except PayloadError:
            return
        before = account.get(Photo).hash
        if not metadata.infos:
            if before:
                await self._put(account, None)
            return
        info = next((info for info in metadata.infos if info.url is None), None)
        config = self._pubsub.config(account, DATA)
        if info is None or config is None:
            return
        is_there = info.id.lower() == before
        if config.access_model != "open":
            if is_there:
                await self._put(account, None)
        elif not is_there:
            stored = await self._pubsub.item(account, DATA, info.id)
            picture = None if stored is None else _read(stored.payload, info.type)
            if picture is not None and picture.hash == info.id.lower():
                await self._put(account, picture)

    async def _put(self, account: Account, picture: Picture | None) -> None:
        card = with_photo(await self._cards.read(account.jid), picture)
        if await self._cards.write(account.jid, card):
            await self._take(account, picture.hash if picture is not None else "")

    # -- from the vCard to what is published

    async def _card_changed(self, account: Account, card: Element) -> None:
        """Publish the picture in a new vCard (XEP-0398 §4.2)."""
        picture = read_photo(card)
        before = account.get(Photo).hash
        now = picture.hash if picture is not None else ""
        if now == before:
            return
        await self._publish(account, picture)
        await self._take(account, now)

    async def _publish(self, account: Account, picture: Picture | None) -> None:
        """Publish a picture, or that there is none, in the owner's name."""
        try:
            if picture is not None:
                name = picture.hash
                await self._pubsub.publish(account, DATA, Data(picture.data).to_element(), name, _OPEN)
                await self._pubsub.publish(account, METADATA, Metadata((picture.info,)).to_element(), name, _OPEN)
            else:
                await self._pubsub.publish(account, METADATA, Metadata().to_element(), None, _OPEN)
        except StanzaError as error:  # no room there; the vCard is in place
            self.host.log.info("a picture could not be published", owner=account.jid.text, reason=str(error))

    # -- presence

    async def _take(self, account: Account, hash_: str) -> None:
        """Another picture is in the vCard: keep its hash, and show it."""
        account.get(Photo).hash = hash_
        await self._hashes.set(account.jid.text, hash_)
        for session in account.available:
            if session.presence is not None and Silent not in session.data:
                presence = self._told = session.presence.copy()
                presence.remove("x", UPDATE)
                if not hash_:  # said once, so that nobody shows the former one any more (XEP-0153 §4.1)
                    presence.append(Update("").to_element())
                for handler in self.host.hooks.presence_out:
                    handler(session, presence)

    @hooks.presence_out(before=["presence"])
    def broadcast(self, session: Session, stanza: Element) -> None:
        if stanza is not self._told and stanza.attrs.get("type") is None:
            session.drop(Silent)
            if not _speaks(stanza):
                session.put(Silent())
        self._show(session, stanza)

    @hooks.presence_directed(before=["presence"])
    def directed(self, session: Session, stanza: Element, to: JID) -> None:
        self._show(session, stanza)

    def _show(self, session: Session, stanza: Element) -> None:
        """Tell in available presence which picture there is (XEP-0398 §5), unless it says that there shall be none."""
        if stanza.attrs.get("type") is not None:
            return
        photo: Photo | None = session.account.find(Photo)
        said = stanza.child("x", UPDATE)
        if photo is None or not _speaks(stanza) or (said is None and not photo.hash):
            return
        if said is None or said.child("photo") is None or (photo.hash and said.child_text("photo") != photo.hash):
            stanza.remove("x", UPDATE)
            stanza.append(Update(photo.hash).to_element())


def _speaks(presence: Element) -> bool:
    """Whether presence may tell of a picture: it doesn't if there is an empty <photo/> in it."""
    said = presence.child("x", UPDATE)
    photo = None if said is None else said.child("photo")
    return photo is None or bool(photo.text)


def _read(payload: str, type_: str) -> Picture | None:
    try:
        return Picture(Data.parse(parse_element(payload)).data, type_)
    except PayloadError:
        return None
