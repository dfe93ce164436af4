"""Administrators whom other administrators have appointed, beside those of the configuration."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from chirrup.core.jid import JID

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chirrup.server.host import Host


class Appointed:
    """Kept in the store; in memory while the server runs."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._map = host.store.map("admins")
        self.configured = frozenset(map(JID, host.config.admins))
        self.jids: set[JID] = set()

    async def load(self) -> None:
        """Those whose account was removed while no server ran aren't taken over: somebody else may come to have it."""
        for jid in map(JID, await self._map.all(self._host.name)):
            if await self._host.store.accounts.exists(self._host.name, jid.local):
                self.jids.add(jid)
            else:
                await self.dismiss(jid)

    def has(self, jid: JID) -> bool:
        return jid in self.configured or jid in self.jids

    async def become(self, wanted: Collection[JID]) -> None:
        """Let it be these. Durable when this returns."""
        self.jids &= set(wanted)
        rows, host, texts = self._map, self._host.name, [jid.text for jid in wanted]

        def put(connection: Connection) -> None:
            within = rows.within(connection)
            within.clear(host)
            within.set_many(host, dict.fromkeys(texts, ""))

        await self._host.store.submit(put)
        self.jids = set(wanted)

    async def dismiss(self, jid: JID) -> None:
        """Somebody is no administrator any more, at once; durable when this returns."""
        self.jids.discard(jid)
        await self._map.delete(self._host.name, jid.text)
