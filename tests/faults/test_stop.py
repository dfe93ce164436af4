"""The server is told to stop while clients write to people who are away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from tests.plugins.programs import ServerProcess
from tests.plugins.proxy import Proxy

from chirrup import Client, Message

TIMEOUT: Final = 30.0


async def test_streams_are_closed_and_nothing_is_lost(crowd: Any) -> None:
    senders = await crowd.log_in()
    sending = asyncio.gather(*[sender.send_until_the_end() for sender in senders])
    await asyncio.sleep(crowd.choose.uniform(0.1, 0.5))
    assert await asyncio.to_thread(crowd.server.stop) == 0
    await sending
    for sender in senders:
        assert sender.client.error.condition == "system-shutdown"
        assert sender.client.parser.ended, "the stream wasn't closed"
    assert crowd.server.complaints == []
    crowd.server.start()
    await crowd.collect()
    crowd.check(senders)


async def test_nothing_is_sent_again_to_the_server_that_comes_after(
    server_process: Callable[..., ServerProcess], choose: random.Random
) -> None:
    """A server that stops has acknowledged what it was given: the next one doesn't know it."""
    server = server_process()
    server.start()
    server.add_accounts("alice", "bob")
    sent: list[str] = []
    async with Proxy(lambda: server.port, choose, outage=0) as proxy:
        way = await proxy.way()
        alice = Client("alice@localhost", "secret", host="127.0.0.1", port=way.port, verify=False)
        async with alice:
            for _ in range(3):
                for _ in range(30):
                    await alice.send(Message("bob@localhost", str(len(sent))))
                    sent.append(str(len(sent)))
                assert await asyncio.to_thread(server.stop) == 0
                server.start()
                await alice.online()
            await alice.settle()
    bob = Client("bob@localhost", "secret", host="127.0.0.1", port=server.port, verify=False)
    heard = bob.messages()
    async with bob, asyncio.timeout(TIMEOUT):
        assert [(await anext(heard)).body for _ in sent] == sent
