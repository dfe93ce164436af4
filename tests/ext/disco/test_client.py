"""Service discovery of a client."""

from __future__ import annotations

import pytest

from chirrup import JID, Presence, StanzaError
from chirrup.client.feature import Feature, Identity
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Info, Item, Items
from chirrup.testing import serve


class Kitchen(Feature):
    features = ("urn:test:kitchen",)
    identities = (Identity("automation", "device-list", "Kitchen"),)


async def test_it_answers_from_what_is_switched_on() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        disco = bob.need(Disco)
        bob.need(Kitchen)
        disco.add_item(Item(bob.account, "oven", "oven"))
        disco.add_nodes(
            info=lambda request: Info("oven") if request.payload.node == "oven" else None,
            items=lambda request: Items("oven") if request.payload.node == "oven" else None,
        )
        await bob.send(Presence(alice.jid))
        await bob.settle()
        asking = alice.need(Disco)
        info = await asking.info(bob.jid)
        vars_ = [feature.var for feature in info.features]
        assert "urn:test:kitchen" in vars_
        assert vars_ == sorted(set(vars_))
        assert ("automation", "Kitchen") in {(one.category, one.name) for one in info.identities}
        assert ("client", "Chirrup") in {(one.category, one.name) for one in info.identities}
        assert [item.node for item in await asking.items(bob.jid)] == ["oven"]
        assert (await asking.info(bob.jid, "oven")).node == "oven"
        assert await asking.items(bob.jid, "oven") == ()
        for ask in (asking.info, asking.items):
            with pytest.raises(StanzaError, match="item-not-found"):
                await ask(bob.jid, "cellar")


async def test_it_asks_others() -> None:
    services = {"modules": {"disco": {"services": {"rooms.localhost": "Rooms"}}}}
    async with serve(services) as server, await server.sdk("alice") as alice:
        disco = alice.need(Disco)
        assert await disco.supports("localhost", "urn:xmpp:ping")
        assert not await disco.supports("localhost", "urn:test:nothing")
        assert not await disco.supports("nobody@localhost/x", "urn:xmpp:ping")
        assert [item.jid for item in await disco.items("localhost")] == [JID("rooms.localhost")]
        assert await disco.find_service("conference", "text") is None
