from __future__ import annotations

from typing import Any

from chirrup.core.xml import CLIENT, Element
from chirrup.ext.vcard4 import CONTACTS, NS
from chirrup.testing import serve


async def test_vcards_of_contacts_are_private(people: Any, friends: Any) -> None:
    """XEP-0292 §6.2."""
    async with serve() as server:
        juliet, romeo = await friends(server, CONTACTS)
        for contact in "nurse@localhost", "tybalt@localhost":
            assert await people.publish(juliet, CONTACTS, contact) == ""
        assert await people.items(juliet, CONTACTS) == ["nurse@localhost", "tybalt@localhost"]
        assert await people.told_items(juliet) == ["nurse@localhost", "tybalt@localhost"]
        assert await people.told(romeo) == []
        assert await people.items(romeo, CONTACTS, to="juliet@localhost") == "not-allowed closed-node"


async def test_the_account_tells_that_there_may_be_one() -> None:
    async with serve() as server:
        juliet = await server.client("juliet")
        query = Element("query", "http://jabber.org/protocol/disco#info")
        answer = await juliet.ask(Element("iq", CLIENT, query, type="get", to="juliet@localhost"))
        assert NS in {feature.get("var") for feature in answer.first.elements("feature")}
