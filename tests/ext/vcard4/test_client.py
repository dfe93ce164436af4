from __future__ import annotations

from chirrup.ext.vcard4.client import VCards4
from chirrup.ext.vcard4.payloads import Email, FullName, VCard4
from chirrup.testing import serve


async def test_a_card() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        assert await alice.need(VCards4).fetch() is None
        card = VCard4((FullName("Alice"),), emails=(Email("alice@example.org"),))
        await alice.need(VCards4).publish(card, options={"access_model": "open"})
        assert await bob.need(VCards4).fetch(alice.account) == card
