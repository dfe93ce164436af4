"""A client's roster: its contacts, as the server keeps them (RFC 6121 §2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_set
from chirrup.client.feed import Feed, Feeds
from chirrup.core.errors import PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.roster import NS, VERSIONS
from chirrup.ext.roster.payloads import Item, Query

_SUBSCRIPTIONS: Final = frozenset({"none", "to", "from", "both"})


@record
class Change:
    """What became of a contact."""

    jid: JID
    before: Item | None
    """None for a new one."""
    after: Item | None
    """None for one that was removed."""


class Roster(Feature):
    """The contacts. Loaded when a session begins, and kept up to date by the server's pushes, which nobody else can
    make.

    for item in await client.need(Roster).load(): …
    """

    xeps = ((237, "1.3", ""),)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.version: str | None = None
        """The version that the server gave it, None where it doesn't give any (§2.6)."""
        self._items: dict[JID, Item] = {}
        self._changes: Feeds[Change] = Feeds()
        self._loading: asyncio.Future[None] | None = None
        self._pushed: list[Query] = []  # while it is loaded: the answer is looked at only after what came with it

    # -- what is in it

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, jid: JID | str) -> bool:
        return self.get(jid) is not None

    def get(self, jid: JID | str) -> Item | None:
        """A contact, by any of its addresses."""
        return self._items.get((JID.parse(jid) if isinstance(jid, str) else jid).bare)

    def changes(self) -> Feed[Change]:
        """What changes from now on."""
        return self._changes.open()

    def restore(self, query: Query) -> None:
        """Begin with what a program has saved of `saved()`, so that the server needn't send what didn't change."""
        self.version = query.ver
        self._items = {item.jid: item for item in query.items}

    def saved(self) -> Query:
        """What to save for `restore`."""
        return Query(self.version, tuple(self._items.values()))

    # -- loading

    async def session_bound(self) -> None:
        await self.load()

    def session_ended(self) -> None:
        self._loading = None

    async def load(self) -> Roster:
        """The roster itself, once it has been loaded in this session."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load())
        loading = self._loading
        try:
            await asyncio.shield(loading)
        except BaseException:
            if loading.done() and self._loading is loading:
                self._loading = None  # to be tried again
            raise
        return self

    async def _load(self) -> None:
        versions = self.entity.server_features.child("ver", VERSIONS) is not None
        known = (self.version or "") if versions else None
        self._pushed.clear()
        iq = await self.entity.request(Query(known), result=None)
        if iq.payload is None:
            if not versions:
                raise PayloadError("the server's answer has no roster in it")
            return  # nothing has changed, or pushes follow (§2.6.3)
        query = Query.parse(iq.payload)
        before, self._items = self._items, {item.jid: item for item in query.items}
        self.version = query.ver
        for jid in before.keys() | self._items.keys():
            self._tell(Change(jid, before.get(jid), self._items.get(jid)))
        for pushed in self._pushed:
            self._apply(pushed)

    @iq_set(Query, own=True)
    def push(self, request: Request[Query]) -> None:
        """The server tells of one contact (§2.1.6)."""
        query = request.payload
        if len(query.items) != 1:
            raise StanzaError("bad-request", "a roster push has one item")
        if self._loading is not None and not self._loading.done():
            self._pushed.append(query)
        self._apply(query)

    def _apply(self, query: Query) -> None:
        (item,) = query.items
        if query.ver is not None:
            self.version = query.ver
        before = self._items.get(item.jid)
        if item.subscription == "remove":
            self._items.pop(item.jid, None)
            self._tell(Change(item.jid, before, None))
        elif item.subscription in _SUBSCRIPTIONS:
            self._items[item.jid] = item
            self._tell(Change(item.jid, before, item))

    def _tell(self, change: Change) -> None:
        if change.before != change.after:
            self._changes.put(change)

    # -- changing

    async def set(self, jid: JID | str, *, name: str | None = None, groups: Iterable[str] | None = None) -> None:
        """Add a contact, or change its name or groups; what is left out stays. The change is in the roster when the
        server's push has come, which is before this returns with most servers. Raises StanzaError."""
        address = (JID.parse(jid) if isinstance(jid, str) else jid).bare
        known = self._items.get(address)
        item = Item(
            address,
            name if name is not None else (known.name if known else ""),
            groups=tuple(groups) if groups is not None else (known.groups if known else ()),
        )
        await self.entity.request(Query(None, (item,)), type="set")

    async def remove(self, jid: JID | str) -> None:
        """Remove a contact, and end the subscriptions in both directions. Raises StanzaError."""
        address = (JID.parse(jid) if isinstance(jid, str) else jid).bare
        await self.entity.request(Query(None, (Item(address, subscription="remove"),)), type="set")


__all__: Final = ["NS", "Change", "Item", "Roster"]
