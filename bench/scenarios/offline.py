"""Messages to accounts that are away, and their way to them afterwards."""

from __future__ import annotations

import asyncio
import time

from bench.client import Connection, available, close, connect
from bench.counting import Answers, Counter
from bench.peers import Running
from bench.scenarios.chat import END, SMALL
from bench.scenarios.result import Meter, Result

_EACH = 900
"""Messages for one account: fewer than any of the servers keeps."""
_BATCH = 10
_PATIENCE = 10.0
"""Seconds without a message after which the rest is lost."""


async def offline(server: Running, *, senders: int, messages: int, longest: float) -> Result:
    """Messages to accounts that are away: so many, or as many as are acknowledged in `longest` seconds. A sender asks
    for an answer after each ten, which acknowledges them.

    Then the accounts come back. What reaches them is counted, and what that costs is a figure of its own."""
    each = messages // senders // _BATCH * _BATCH or _BATCH
    aways = [f"away{number}" for number in range(senders * -(-each // _EACH))]
    users = await available(server.port, [f"sender{number}" for number in range(senders)])
    close(await available(server.port, aways, presence=False))
    await asyncio.sleep(1)  # the servers don't tell when they have noticed that somebody left
    meter = Meter(server)
    end = time.monotonic() + longest
    sent = await asyncio.gather(*[_send(user, aways[number::senders], each, end) for number, user in enumerate(users)])
    result = meter.result("message", sum(sent))
    close(users)
    meter = Meter(server)
    shares = [min(_EACH, max(0, sent[number % senders] - number // senders * _EACH)) for number in range(len(aways))]
    counts = await asyncio.gather(*[_fetch(server, name, share) for name, share in zip(aways, shares, strict=True)])
    result.lost = sum(sent) - sum(counts)
    result.figures["µs handing over"] = meter.result("message", max(1, sum(counts))).cpu_us
    return result


async def _send(user: Connection, aways: list[str], each: int, end: float) -> int:
    """How many it has sent."""
    sent = 0
    while sent < each and time.monotonic() < end:
        user.write(SMALL.format(to=f"{aways[sent // _EACH]}@localhost").encode() * _BATCH)
        await user.settle()
        sent += _BATCH
    return sent


async def _fetch(server: Running, name: str, share: int) -> int:
    """Log in, become available, answer what the server asks, and count messages until all are there, or none has come
    for a while."""
    # With a resource of its own choice: who has one made along with the log-in reads the archive (XEP-0386 §3.2).
    away = await connect(server.port, name, "back")
    counter, answers = Counter(END), Answers()
    complete = away.loop.create_future()

    def look(data: bytes) -> None:
        counter.feed(data)
        if answer := answers.feed(data):
            away.write(answer)
        if counter.total >= share and not complete.done():
            complete.set_result(None)

    away.on_data = look
    away.write(b"<presence/>")
    before = -1 if share else 0
    while counter.total != before and not complete.done():
        before = counter.total
        await asyncio.wait([complete], timeout=_PATIENCE)
    await asyncio.sleep(0.5)  # the server may still ask whether the last ones have arrived
    away.write(b"<presence type='unavailable'/>")
    await away.settle()
    away.close()
    return counter.total
