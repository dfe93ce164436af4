"""Entity capabilities of a client: what it can do, shown by hashes in its presence, and what those of others mean."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, on_presence, presence_out
from chirrup.client.stanzas import Presence
from chirrup.core.errors import ChirrupError, PayloadError
from chirrup.core.jid import JID
from chirrup.ext.caps import NS, NS_2
from chirrup.ext.caps.known import Claim, Known, read_claim
from chirrup.ext.caps.own import Own
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Info

NODE: Final = "urn:chirrup:client"
"""The URI that names the program; a program may name its own, in `Capabilities.node`."""
MOST_KNOWN: Final = 500
"""Hashes that are remembered."""
MOST_CLAIMS: Final = 5_000
"""Addresses whose hash is remembered, the latest; anybody may send presence."""
_MOST_FEATURES: Final = 500
_MOST_CHARACTERS: Final = 20_000
"""Of the names of somebody's features, all together."""


class Capabilities(Feature):
    """Shows what the client can do, and finds out what others can.

    One of those who show a hash is asked; the answer counts for the others only if the hash is that of the answer."""

    xeps = ((115, "1.6.0", ""), (390, "0.3.2", ""))
    features = (NS, NS_2)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._disco = self.need(Disco)
        self._disco.add_nodes(info=self._tell)
        self.node = NODE
        self._own = Own(("sha-256",))
        self._claims: OrderedDict[JID, Claim] = OrderedDict()
        self._known = Known(MOST_KNOWN, _kept_in_memory)
        self._asking: dict[tuple[JID, str], asyncio.Future[frozenset[str]]] = {}

    def session_ended(self) -> None:
        self._claims.clear()

    # -- its own

    @presence_out
    def show(self, presence: Presence) -> None:
        """Put the hashes into available presence."""
        if presence.available and presence.element.child("c", NS) is None:
            presence.add(*self._own.show(self.node, self._disco.own()))

    def _tell(self, request: Request[Info]) -> Info | None:
        """What it was when it showed a hash."""
        return self._own.tell(request.payload.node or "")

    # -- those of others

    @on_presence()
    def shown(self, presence: Presence) -> None:
        sender = presence.sender
        if not presence.available:
            self._claims.pop(sender, None)
        elif (claim := read_claim(presence.element)) is not None:
            self._claims[sender] = claim
            self._claims.move_to_end(sender)
            if len(self._claims) > MOST_CLAIMS:
                self._claims.popitem(last=False)

    async def of(self, jid: JID | str, *, timeout: float | None = None) -> frozenset[str]:
        """The features of somebody, by their full JID. They are asked only if nobody has shown the same hash before.
        Raises StanzaError where they don't tell, and the other errors of `request`."""
        address = JID.parse(jid) if isinstance(jid, str) else jid
        claim = self._claims.get(address)
        if claim is not None and (known := self._known.find(claim)) is not None:
            return known
        key = (address, claim.node if claim else "")
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(address, claim, timeout))
            asking.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(asking)

    async def supports(self, jid: JID | str, feature: str, *, timeout: float | None = None) -> bool:
        """Whether somebody can do something; False where they don't tell."""
        try:
            return feature in await self.of(jid, timeout=timeout)
        except ChirrupError:
            return False

    async def _ask(self, jid: JID, claim: Claim | None, timeout: float | None) -> frozenset[str]:
        node = claim.node if claim is not None else None
        iq = await self.entity.request(Info(node), to=jid, result=None, timeout=timeout)
        query = iq.payload
        if query is None:
            raise PayloadError("the answer has no capabilities in it")
        info = Info.parse(query)
        if len(info.features) > _MOST_FEATURES:
            raise PayloadError(f"{jid} has more than {_MOST_FEATURES} features")
        if sum(len(feature.var) for feature in info.features) > _MOST_CHARACTERS:
            raise PayloadError(f"the features of {jid} have more than {_MOST_CHARACTERS} characters")
        features = frozenset(feature.var for feature in info.features)
        if claim is not None and claim.key in (proven := claim.proven(info, query.lang or iq.lang)):
            return self._known.add(proven, features)
        return features

    def _asked(self, key: tuple[JID, str], asking: asyncio.Future[frozenset[str]]) -> None:
        self._asking.pop(key, None)
        if not asking.cancelled():
            asking.exception()  # whoever asked is told


def _kept_in_memory(name: str, text: str | None) -> Any:
    """Nothing is stored."""
