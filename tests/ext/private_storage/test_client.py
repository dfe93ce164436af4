from __future__ import annotations

from typing import assert_type

import pytest

from chirrup import Element, StanzaError
from chirrup.core.payload import Payload, attribute, payload
from chirrup.ext.private_storage.client import PrivateStorage
from chirrup.testing import serve


@payload("settings", "urn:test:settings")
class Settings(Payload):
    """What a program keeps."""

    theme: str = attribute()


async def test_what_is_kept() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("alice") as again:
        storage = alice.need(PrivateStorage)
        assert await storage.get(Settings) is None
        await storage.set(Settings("dark"))
        assert_type(await storage.get(Settings), Settings | None)
        assert await again.need(PrivateStorage).get(Settings) == Settings("dark")
        await storage.set(Element("notes", "urn:test:notes", Element("note", "urn:test:notes", "milk")))
        assert (await storage.get_element("notes", "urn:test:notes")).child_text("note") == "milk"
        with pytest.raises(StanzaError):
            await storage.set(Element("query", "jabber:client"))
