"""The server is told to stop while clients write to people who are away."""

from __future__ import annotations

import asyncio
from typing import Any


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
