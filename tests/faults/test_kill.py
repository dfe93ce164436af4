"""Acknowledged means stored: the server is killed with SIGKILL while clients write to people who are away, and while
people with two devices each chat, with stream management, carbons and archives.

Where they are away, a message counts as acknowledged when the server has answered a ping that was sent behind it. After
the kill the server starts on the same data, and everybody who was away comes; sometimes it is killed again while they
get what was kept. Every message that was acknowledged has to be among what they got, once, in the order in which its
sender wrote it. Where they chat, it counts when stream management has acknowledged it; everybody comes back at once,
and has to have it then, on both devices and in the archive. `scripts/kills` does that to other servers, too.
CHIRRUP_FAULT_ROUNDS sets how often, CHIRRUP_FAULT_SEED repeats what chance chose."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.plugins import kills
from tests.plugins.devices import Town
from tests.plugins.programs import ServerProcess
from tests.plugins.proxy import Proxy

ROUNDS = int(os.environ.get("CHIRRUP_FAULT_ROUNDS", "5"))


@pytest.mark.timeout(60 + 20 * ROUNDS)
async def test_it_is_killed_at_any_moment(crowd: Any) -> None:
    acknowledged = 0
    for number in range(ROUNDS):
        senders = await crowd.log_in()
        sending = asyncio.gather(*[sender.send_until_the_end() for sender in senders])
        await asyncio.sleep(crowd.choose.uniform(0, 0.6))
        crowd.server.kill()
        await sending
        crowd.server.start()
        again = crowd.choose.random() < 0.3
        if again:
            collecting = asyncio.gather(crowd.collect(), return_exceptions=True)
            await asyncio.sleep(crowd.choose.uniform(0, 0.2))
            crowd.server.kill()
            await collecting
            crowd.server.start()
        await crowd.collect()
        sent, safe = sum(sender.sent for sender in senders), sum(sender.acknowledged for sender in senders)
        print(f"round {number + 1}: {sent} sent, {safe} of them acknowledged{', killed twice' if again else ''}")
        acknowledged += safe
        crowd.check(senders, repeated=again)
        assert crowd.server.complaints == []
    assert acknowledged, "the server was killed too soon, each time"


@pytest.mark.timeout(120 + 20 * ROUNDS)
async def test_it_is_killed_while_people_chat(
    server_process: Callable[..., ServerProcess], choose: random.Random
) -> None:
    server = server_process(plaintext=True, extra=kills.SETTINGS)
    server.start()
    names = [f"person{number}" for number in range(kills.PEOPLE)]
    server.add_accounts(*names)
    async with Proxy(lambda: server.port, choose, outage=0) as proxy:
        outcome = await kills.run(server, Town(proxy, choose, names), ROUNDS)
    print(outcome)
    assert outcome.kills == ROUNDS
    assert outcome.messages
    assert not outcome.lost
    assert not outcome.unarchived
    assert not outcome.unshown
    assert not outcome.disordered
    assert server.complaints == []
