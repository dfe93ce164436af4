from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import PayloadError
from chirrup.ext.avatar import DATA, METADATA
from chirrup.ext.avatar.client import Avatar, Avatars
from chirrup.ext.avatar.payloads import Data, Info, Metadata
from chirrup.ext.pubsub.client import Pubsub
from chirrup.ext.pubsub.events import Published
from chirrup.testing import serve

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


async def test_a_picture() -> None:
    async with (
        serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob, asyncio.timeout(20)
    ):  # fmt: skip
        shown = alice.need(Avatars).changes()
        await alice.settle()
        assert await bob.need(Avatars).info() is None
        avatar = await alice.need(Avatars).publish(PICTURE, width=8, height=4, options={"access_model": "open"})
        assert avatar == Avatar(PICTURE, "image/png", 8, 4)
        event = await anext(shown)
        assert isinstance(event, Published)
        assert event.payload == Metadata((Info(avatar.id, len(PICTURE), "image/png", None, 8, 4),))
        assert await bob.need(Avatars).fetch(alice.account) == avatar
        assert await alice.need(Avatars).fetch() == avatar
        await alice.need(Avatars).remove()
        assert await bob.need(Avatars).fetch(alice.account) is None


async def test_a_picture_is_what_its_hash_says() -> None:
    async with serve() as server, await server.sdk("alice") as alice, asyncio.timeout(20):
        true, pubsub = Avatar(PICTURE, "image/png"), alice.need(Pubsub)
        await pubsub.node(DATA, Data).publish(Data(b"another"), true.id)
        info = Info(true.id, len(PICTURE), true.type)
        await pubsub.node(METADATA, Metadata).publish(Metadata((info,)), true.id)
        with pytest.raises(PayloadError, match="hash"):
            await alice.need(Avatars).fetch()
        alice.need(Avatars).largest = 100
        with pytest.raises(PayloadError, match="octets"):
            await alice.need(Avatars).fetch()
        assert await alice.need(Avatars).fetch(info=Info("0" * 40, 1, "image/png")) is None
