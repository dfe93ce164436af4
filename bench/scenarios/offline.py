"""Messages to accounts that are away, and their way to them afterwards."""

from __future__ import annotations

import asyncio

from bench.client import Connection, available, close, connect
from bench.counting import Answers, Counter
from bench.peers import Running
from bench.scenarios.chat import END, SMALL
from bench.scenarios.result import Meter, Result

_EACH = 900
"""Messages for one account: fewer than any of the servers keeps."""
_BATCH = 10


async def offline(server: Running, *, senders: int, messages: int) -> Result:
    """Messages to accounts that are away. A sender asks for an answer after each ten, which acknowledges them.

    Then the accounts come back. What reaches them is counted, and what that costs is a figure of its own."""
    each = messages // senders // _BATCH * _BATCH or _BATCH
    aways = [f"away{number}" for number in range(senders * -(-each // _EACH))]
    users = await available(server.port, [f"sender{number}" for number in range(senders)])
    close(await available(server.port, aways, presence=False))
    await asyncio.sleep(1)  # the servers don't tell when they have noticed that somebody left
    meter = Meter(server)
    await asyncio.gather(*[_send(user, aways[number::senders], each) for number, user in enumerate(users)])
    result = meter.result("message", each * senders)
    close(users)
    meter = Meter(server)
    counts = await asyncio.gather(*[_fetch(server, name) for name in aways])
    result.lost = each * senders - sum(counts)
    result.figures["µs handing over"] = meter.result("message", max(1, sum(counts))).cpu_us
    return result


async def _send(user: Connection, aways: list[str], each: int) -> None:
    for sent in range(0, each, _BATCH):
        user.write(SMALL.format(to=f"{aways[sent // _EACH]}@localhost").encode() * _BATCH)
        await user.settle()


async def _fetch(server: Running, name: str) -> int:
    """Log in, become available, answer what the server asks, and count messages until none has come for a second."""
    away = await connect(server.port, name)
    counter, answers = Counter(END), Answers()

    def look(data: bytes) -> None:
        counter.feed(data)
        if answer := answers.feed(data):
            away.write(answer)

    away.on_data = look
    away.write(b"<presence/>")
    before = -1
    while counter.total != before:
        before = counter.total
        await asyncio.sleep(1)
    away.close()
    return counter.total
