from __future__ import annotations

from typing import Any

import pytest

from chirrup import Message, StanzaError
from chirrup.ext.push.client import Push
from chirrup.testing import serve


async def test_a_device_is_woken(service: Any) -> None:
    async with serve() as server, await server.sdk("romeo") as romeo:
        service.serve(server)
        phone = await server.sdk("juliet/phone", features=[Push])
        async with phone:
            await phone.need(Push).enable(service.jid, "node", {"secret": "eruio234vzxc2kla-91"})
            await romeo.send(Message(phone.account, "not yet"))
            await romeo.settle()
            assert service.count == 0
        await romeo.send(Message(phone.account, "hi"))
        pubsub = await service.next()
        assert pubsub.publish.node == "node"
        assert pubsub.publish_options.form.values("secret") == ("eruio234vzxc2kla-91",)


async def test_the_next_session_stands_for_the_device_again(service: Any) -> None:
    async with serve() as server, await server.sdk("romeo") as romeo:
        service.serve(server)
        async with await server.sdk("juliet/phone", features=[Push]) as phone:
            await phone.need(Push).enable(service.jid, "node")
            await phone.close()
            await phone.connect()
            await romeo.send(Message(phone.account, "hi"))
            await romeo.settle()
            assert service.count == 0


async def test_what_is_refused_for_one_node_is_not_for_the_next(service: Any) -> None:
    settings = {"modules": {"push": {"max_services": 2}}}
    async with serve(settings) as server, await server.sdk("romeo") as romeo:
        service.serve(server)
        async with await server.sdk("juliet/phone", features=[Push]) as phone:
            await phone.need(Push).enable(service.jid, "one")
            await phone.need(Push).enable(service.jid, "two")
            async with await server.sdk("juliet/tablet", features=[Push]) as tablet:
                await tablet.need(Push).disable(service.jid, "one")
                await tablet.need(Push).enable(service.jid, "tablet")
            await phone.close()
            await phone.connect()  # no room for "one"
            await romeo.send(Message(phone.account, "hi"))
            pubsub = await service.next()
            assert pubsub.publish.node == "tablet"
            assert service.count == 0


@pytest.mark.parametrize("node", [None, "node"])
async def test_switching_off(service: Any, node: str | None) -> None:
    async with serve() as server, await server.sdk("romeo") as romeo:
        service.serve(server)
        phone = await server.sdk("juliet/phone", features=[Push])
        async with phone:
            await phone.need(Push).enable(service.jid, "node")
            await phone.need(Push).disable(service.jid, node)
            await phone.close()
            await phone.connect()
        await romeo.send(Message(phone.account, "hi"))
        await romeo.settle()
        assert service.count == 0


async def test_a_refusal_is_raised_and_not_tried_again() -> None:
    async with serve() as server, await server.sdk("juliet/phone", features=[Push]) as phone:
        with pytest.raises(StanzaError, match="not-allowed"):
            await phone.need(Push).enable("romeo@localhost", "node")
        await phone.close()
        await phone.connect()
        await phone.settle()
