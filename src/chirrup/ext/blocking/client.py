"""A client's block list (XEP-0191), and its reports of those who are on it (XEP-0377)."""

from __future__ import annotations

from collections.abc import Iterator

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_set
from chirrup.client.feed import Feed, Feeds
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.blocking import SPAM
from chirrup.ext.blocking.payloads import Block, BlockList, Item, Report, Text, Unblock


@record
class Change:
    """What has become of an address."""

    jid: JID
    blocked: bool


class Blocking(Feature):
    """The addresses that the account blocks. Loaded when a session begins, and kept up to date by the server's pushes,
    which nobody else can make."""

    xeps = ((191, "1.3", ""), (377, "0.4.1", ""))

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._jids: dict[JID, None] = {}
        self._changes: Feeds[Change] = Feeds()

    def __iter__(self) -> Iterator[JID]:
        return iter(tuple(self._jids))

    def __len__(self) -> int:
        return len(self._jids)

    def __contains__(self, jid: JID | str) -> bool:
        """Whether the list has exactly this address."""
        return _jid(jid) in self._jids

    def blocks(self, jid: JID | str) -> bool:
        """Whether an address is blocked, by itself or by what it is part of (§6)."""
        address = _jid(jid)
        return any(item in self._jids for item in (address, address.bare, address.host))

    def changes(self) -> Feed[Change]:
        """What changes from now on, here or at another client."""
        return self._changes.open()

    async def session_bound(self) -> None:
        await self.load()

    async def load(self) -> None:
        """Ask for the list, and so for its changes. Raises StanzaError where the server has none."""
        answer = await self.entity.request(BlockList())
        now = dict.fromkeys(item.jid for item in answer.items)
        for jid in self._jids.keys() - now.keys():
            self._change(jid, blocked=False)
        for jid in now:
            self._change(jid, blocked=True)

    async def block(self, *jids: JID | str) -> None:
        """Block addresses: nothing comes from them, and nothing goes there. Raises StanzaError."""
        await self._set(Block(tuple(Item(_jid(jid)) for jid in jids)))

    async def report(self, jid: JID | str, text: str = "", *, reason: str = SPAM, lang: str = "") -> None:
        """Block an address, and tell those who run the server why. Raises StanzaError."""
        texts = (Text(text, lang),) if text else ()
        await self._set(Block((Item(_jid(jid), Report(reason, texts)),)))

    async def unblock(self, *jids: JID | str) -> None:
        """Block addresses no more; all of them, if none is named. Raises StanzaError."""
        await self._set(Unblock(tuple(Item(_jid(jid)) for jid in jids)))

    async def _set(self, change: Block | Unblock) -> None:
        await self.entity.request(change, type="set", result=None)

    @iq_set(Block, own=True)
    def blocked(self, request: Request[Block]) -> None:
        if not request.payload.items:
            raise StanzaError("bad-request", "there is nothing to block")
        for item in request.payload.items:
            self._change(item.jid, blocked=True)

    @iq_set(Unblock, own=True)
    def unblocked(self, request: Request[Unblock]) -> None:
        for jid in [item.jid for item in request.payload.items] or list(self._jids):
            self._change(jid, blocked=False)

    def _change(self, jid: JID, *, blocked: bool) -> None:
        if (jid in self._jids) == blocked:
            return
        if blocked:
            self._jids[jid] = None
        else:
            del self._jids[jid]
        self._changes.put(Change(jid, blocked))


def _jid(jid: JID | str) -> JID:
    return JID.parse(jid) if isinstance(jid, str) else jid
