"""Bookmarks at the server: the same for clients that keep each as an item and for those that keep all in one element,
in private storage or in a node of its own (XEP-0402 §5.3)."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import Field

from chirrup.core.errors import AddressError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.bookmarks import NS, OLD
from chirrup.ext.bookmarks.payloads import Conference, Extensions, OldConference, Storage
from chirrup.ext.private_storage.server import PrivateStorage
from chirrup.ext.pubsub.engine import Change
from chirrup.ext.pubsub.personal import PersonalService
from chirrup.ext.pubsub.server import PersonalEventing
from chirrup.server import hooks
from chirrup.server.module import Account, Module, Settings, Xep

_CURRENT: Final = "current"
"""The id of the one item of the old node."""
_TURN: Final = 100
"""Bookmarks that are read before others have their turn."""


class BookmarksSettings(Settings):
    """What old clients may keep."""

    max_at_once: int = Field(default=500, ge=1)
    """Bookmarks in one element, as clients of XEP-0048 send them; with more it is refused."""


class Collating:
    """How often an account's bookmarks were to be published in the old node, and which of these times are done. Kept
    with the account."""

    def __init__(self) -> None:
        self.wanted = self.done = 0
        self.lock = asyncio.Lock()


class Bookmarks(Module):
    """Keeps bookmarks of rooms the same for new and for old clients."""

    needs = ("pubsub", "private_storage")
    xeps = (Xep(402, "1.2.0"), Xep(48, "1.2"))
    account_features = (f"{NS}#compat", f"{NS}#compat-pep")
    needs_accounts = True
    Settings = BookmarksSettings
    settings: BookmarksSettings

    async def start(self) -> None:
        self._pubsub = self.need(PersonalEventing)
        private = {"access_model": "whitelist", "send_last_published_item": "never"}
        self._pubsub.set_default(NS, max_items=None, **private)
        self._pubsub.set_default(OLD, **private)
        self._pubsub.make_with(NS, self._take_over)
        self._pubsub.make_with(OLD, self._make_old)
        self._pubsub.observe(NS, self._changed)
        self._pubsub.observe(OLD, self._changed_in_old_node)
        self._private = self.need(PrivateStorage)
        self._private.hand_over("storage", OLD, self)

    @hooks.account_loading(after=["pubsub"])
    async def load(self, account: Account) -> None:
        """Prosody only tells of old bookmarks by its node for them: a client that asked would find none."""
        config = self._pubsub.config(account, OLD)
        if config is not None and not config.persist_items:
            self.host.server.spawn(self._make_old(account))

    async def _take_over(self, account: Account) -> None:
        """Take over the bookmarks that an account has in private storage, and before it has any here those in the old
        node, too: so they come from other servers. What is here already stays as it is."""
        kept = await self._kept(account)
        if not kept.conferences:
            return
        together = Storage((*kept.conferences, *await self._old(account)), kept.others)
        try:
            if await self._take(account, together.to_element()):
                await self._collate(account)
        except StanzaError as error:  # they stay where they are
            self.host.log.info("bookmarks could not be taken over", owner=account.jid.text, reason=str(error))

    async def _make_old(self, account: Account) -> None:
        """Show old clients, whose node isn't there or stores nothing, what new clients have."""
        await self._take_over(account)
        config = self._pubsub.config(account, OLD)
        if config is not None and config.persist_items:
            return
        if self._pubsub.config(account, NS) is not None:
            await self._collate(account)
        else:  # nothing to show, but old clients may begin there
            await self._make_private(account, OLD)

    async def _kept(self, account: Account) -> Storage:
        """What there is in the old places, together."""
        found = [await self._private.read(account.jid, "storage", OLD)]
        if self._pubsub.config(account, NS) is None:
            found += [parse_element(one.payload) for one in await self._pubsub.items(account, OLD) if one.payload]
        conferences: dict[str, OldConference] = {}
        others: list[Element] = []
        for element in found:
            try:
                storage = Storage() if element is None else Storage.parse(element)
            except PayloadError:  # it has been kept for a client that knows what it means
                continue
            conferences |= {one.jid: one for one in storage.conferences}
            others += storage.others
        return Storage(tuple(conferences.values()), tuple(others))

    # -- private storage

    async def read(self, account: Account) -> Element:
        """All bookmarks, and what else was kept with them."""
        await self._take_over(account)
        kept = await self._private.read(account.jid, "storage", OLD)
        if kept is not None and kept.child("conference", OLD) is not None:
            return kept  # which couldn't be taken over
        return await self._together(account)

    async def write(self, account: Account, element: Element) -> None:
        """Take what an old client says that all bookmarks are."""
        if await self._take(account, element):
            await self._collate(account)

    # -- nodes

    async def _changed(self, change: Change) -> None:
        """A client has changed a bookmark: show old clients all of them."""
        if not change.by_server and isinstance(change.service, PersonalService):
            await self._collate(change.service.account)

    async def _changed_in_old_node(self, change: Change) -> None:
        if change.by_server or not isinstance(change.service, PersonalService):
            return
        if change.payload is not None and (change.payload.name, change.payload.ns) == ("storage", OLD):
            await self._take(change.service.account, change.payload)

    async def _collate(self, account: Account) -> None:
        """Publish all bookmarks in the old node. Those who want that while it is done wait for the next time, which is
        for all of them."""
        collating = account.find(Collating) or account.put(Collating())
        collating.wanted = mine = collating.wanted + 1
        async with collating.lock:
            if collating.done < mine:
                wanted = collating.wanted
                await self._publish_all(account)
                collating.done = wanted

    async def _publish_all(self, account: Account) -> None:
        storage = await self._together(account)
        try:
            await self._make_private(account, OLD)
            await self._pubsub.publish(account, OLD, storage, _CURRENT)
        except StanzaError as error:  # no room; they are safe where they are
            self.host.log.info("bookmarks could not be collated", owner=account.jid.text, reason=str(error))

    async def _make_private(self, account: Account, node: str) -> None:
        """Let nobody else read a node, before what a client has kept for itself in another place is copied there; and
        let it keep that."""
        config = self._pubsub.config(account, node)
        if config is not None and (config.access_model != "whitelist" or not config.persist_items):
            await self._pubsub.configure(account, node, access_model="whitelist", persist_items="true")

    # -- from one to the other

    async def _items(self, account: Account) -> dict[str, Conference]:
        """The bookmarks by the address of the room; those that can't be read are left out."""
        found = {}
        for number, one in enumerate(await self._pubsub.items(account, NS), 1):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            try:
                found[one.item] = Conference.parse(parse_element(one.payload))
            except PayloadError:
                continue
        return found

    async def _together(self, account: Account) -> Element:
        """All bookmarks as old clients keep them, with what else those keep there."""
        return Storage(tuple(await self._old(account)), await self._others(account)).to_element()

    async def _old(self, account: Account) -> list[OldConference]:
        return [
            OldConference(room, one.name, one.autojoin, one.nick, one.password, _extensions(one))
            for room, one in (await self._items(account)).items()
        ]

    async def _others(self, account: Account) -> tuple[Element, ...]:
        """What is kept in private storage because it is no bookmark of a room."""
        kept = await self._private.read(account.jid, "storage", OLD)
        others = () if kept is None else kept.elements()
        return tuple(one for one in others if (one.name, one.ns) != ("conference", OLD))

    async def _take(self, account: Account, element: Element) -> bool:
        """Make the items what an old client's element says; whether anything was different. What others than
        conferences are in it is kept in private storage. StanzaError where there is no room."""
        try:
            storage = Storage.parse(element)
        except PayloadError as error:
            raise StanzaError("bad-request", str(error)) from None
        if len(storage.conferences) > self.settings.max_at_once:
            raise StanzaError("policy-violation", f"there may be {self.settings.max_at_once} bookmarks")
        before = {room: (id_, one) for id_, one in (await self._items(account)).items() if (room := _room(id_))}
        wanted = {room: old for old in storage.conferences if (room := _room(old.jid))}
        changed = {}
        for room, old in wanted.items():
            id_, known = before.get(room, (room, None))  # clients write addresses as they like
            if (merged := _merged(old, known)) != known:
                changed[id_] = merged
        if changed:
            await self._make_private(account, NS)
        work = [self._publish(account, id_, conference) for id_, conference in changed.items()]
        gone = [id_ for room, (id_, _) in before.items() if room not in wanted]
        await asyncio.gather(*work, *(self._pubsub.retract(account, NS, id_) for id_ in gone))
        others = await self._others(account)
        await self._private.write(account.jid, Storage((), storage.others).to_element())
        return bool(changed or gone or others != storage.others)

    async def _publish(self, account: Account, id_: str, conference: Payload) -> None:
        await self._pubsub.publish(account, NS, conference.to_element(), id_)


def _room(text: str) -> str:
    """A room's address in its canonical form; empty for what is none."""
    try:
        return JID.parse(text).bare.text
    except AddressError:
        return ""


def _merged(old: OldConference, known: Conference | None) -> Conference:
    """A bookmark as an old client says that it is, with what that client knows nothing of."""
    kept = None if known is None else known.extensions
    extensions = {(one.name, one.ns): one for one in (*_extensions(known), *old.others)}
    if extensions:
        kept = Extensions(tuple(extensions.values()))
    return Conference(old.name, old.autojoin, old.nick, old.password, kept)


def _extensions(bookmark: Conference | None) -> tuple[Element, ...]:
    """What clients of some kind keep with a bookmark."""
    return bookmark.extensions.elements if bookmark is not None and bookmark.extensions is not None else ()
