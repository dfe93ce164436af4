"""A client's presence, that of its contacts, and subscriptions (RFC 6121 §§3 and 4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_presence
from chirrup.client.feed import Feed, Feeds
from chirrup.client.stanzas import Presence, Show
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element

MOST: Final = 20_000
"""So many addresses' presence is remembered, the latest; anybody may send some."""
_ROOMS: Final = "http://jabber.org/protocol/muc#user"

Policy = Callable[[JID], bool | None]
"""Whether somebody may see the own presence: True, False, or None to leave the request to the program."""


def everybody(jid: JID) -> bool | None:
    return True


def nobody(jid: JID) -> bool | None:
    return False


class Presences(Feature):
    """Shows the own presence, remembers that of others, and handles subscriptions."""

    xeps = ()

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self.own: Presence | None = None
        """What was sent to everybody last; None while unavailable."""
        self.policy: Policy | None = None
        """What is done about subscription requests: `everybody`, `nobody` or a function. Without one they wait."""
        self.mutual = True
        """Whether to ask back for the presence of those whom the policy lets in."""
        self._wanted: Presence | None = Presence()
        self._refreshing = False
        self._known: OrderedDict[JID, Presence] = OrderedDict()
        self._requests: Feeds[Presence] = Feeds()

    # -- the own presence

    def features_changed(self) -> None:
        """What is put into presence by others (XEP-0115) may have changed with it."""
        if not self._refreshing:
            self._refreshing = True
            self.entity.spawn(self._refresh_soon())

    async def _refresh_soon(self) -> None:
        self._refreshing = False
        await self.refresh()

    async def session_ready(self) -> None:
        if self.client.available and self._wanted is not None:
            await self._send(self._wanted)

    def session_ended(self) -> None:
        self.own = None
        self._known.clear()

    async def set(self, show: Show = "", status: str = "", *payloads: Payload | Element, priority: int = 0) -> None:
        """Show this to everybody who is subscribed, now and after each reconnection."""
        self._wanted = Presence(None, *payloads, show=show, status=status, priority=priority)
        await self._send(self._wanted)

    async def set_unavailable(self, status: str = "") -> None:
        """Go away for others, while staying connected."""
        self._wanted = self.own = None
        await self.entity.send(Presence(type="unavailable", status=status))

    async def refresh(self) -> None:
        """Send the own presence again, if it was sent: something that is put into it has changed."""
        if self.own is not None and self._wanted is not None:
            await self._send(self._wanted)

    async def _send(self, wanted: Presence) -> None:
        self.own = Presence.received(wanted.element.copy(), self.entity.jid, self.entity)
        await self.entity.send(self.own)

    # -- that of others

    def of(self, jid: JID | str) -> list[Presence]:
        """The available resources of an address, the one with the highest priority first."""
        address = JID.parse(jid) if isinstance(jid, str) else jid
        if address.is_full:
            found = self._known.get(address)
            return [] if found is None else [found]
        known = [presence for sender, presence in self._known.items() if sender.bare == address]
        return sorted(known, key=lambda presence: -presence.priority)

    def is_available(self, jid: JID | str) -> bool:
        """Whether somebody is there, as far as they show it."""
        return bool(self.of(jid))

    @on_presence()
    def arrived(self, presence: Presence) -> None:
        sender = presence.sender
        match presence.type:
            case "available":
                if presence.element.child("x", _ROOMS) is None:  # rooms have a presence of their own
                    self._known[sender] = presence
                    self._known.move_to_end(sender)
                    if len(self._known) > MOST:
                        self._known.popitem(last=False)
            case "unavailable" | "error":
                if sender.is_full:
                    self._known.pop(sender, None)
                else:
                    for one in [known for known in self._known if known.bare == sender]:
                        del self._known[one]
            case "subscribe":
                self._asked(presence)

    # -- subscriptions

    def requests(self) -> Feed[Presence]:
        """The subscription requests that come from now on, and that no policy answers."""
        return self._requests.open()

    def _asked(self, presence: Presence) -> None:
        jid = presence.sender.bare
        verdict = None if self.policy is None else self.policy(jid)
        if verdict is None:
            self._requests.put(presence)
        elif verdict:
            self.entity.spawn(self._let_in(jid))
        else:
            self.entity.spawn(self.deny(jid))

    async def _let_in(self, jid: JID) -> None:
        await self.approve(jid)
        if self.mutual:
            await self.subscribe(jid)

    async def subscribe(self, jid: JID | str, status: str = "") -> None:
        """Ask to see somebody's presence."""
        await self._handshake(jid, Presence(_bare(jid), type="subscribe", status=status))

    async def unsubscribe(self, jid: JID | str) -> None:
        """See somebody's presence no longer."""
        await self._handshake(jid, Presence(_bare(jid), type="unsubscribe"))

    async def approve(self, jid: JID | str) -> None:
        """Let somebody see the own presence, now or, where the server can do that, when they ask."""
        await self._handshake(jid, Presence(_bare(jid), type="subscribed"))

    async def deny(self, jid: JID | str) -> None:
        """Refuse a request, or let somebody see the own presence no longer."""
        await self._handshake(jid, Presence(_bare(jid), type="unsubscribed"))

    async def _handshake(self, jid: JID | str, presence: Presence) -> None:
        await self.entity.send(presence)


def _bare(jid: JID | str) -> JID:
    return (JID.parse(jid) if isinstance(jid, str) else jid).bare
