"""How long a message takes at a rate that all servers can bear."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

from bench.client import available, close
from bench.counting import Counter
from bench.peers import Running
from bench.scenarios.chat import END
from bench.scenarios.result import Meter, Result

_PATIENCE = 5.0
"""Seconds without a message after which the rest is lost."""


async def latency(server: Running, *, pairs: int, rate: int, seconds: float, body: str) -> Result:
    """Messages at a fixed rate over TLS; how long each takes from the sender's write to the receiver's read, in ms."""
    users = await available(server.port, [f"lat{n}" for n in range(2 * pairs)], tls=True)
    senders, receivers = users[:pairs], users[pairs:]
    sent: list[list[float]] = [[] for _ in range(pairs)]
    took: list[float] = []

    def watch(number: int) -> Callable[[bytes], None]:
        counter = Counter(END)

        def look(data: bytes) -> None:
            now = time.perf_counter()
            first = counter.total
            found = counter.feed(data)
            took.extend(now - moment for moment in sent[number][first : first + found])

        return look

    for number, receiver in enumerate(receivers):
        receiver.on_data = watch(number)
    messages = [body.format(to=receiver.jid).encode() for receiver in receivers]
    meter = Meter(server)
    began = time.perf_counter()
    total = int(rate * seconds)
    for index in range(total):
        due = began + index / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        number = index % pairs
        sent[number].append(time.perf_counter())
        senders[number].write(messages[number])
    before, last = -1, time.perf_counter()
    while len(took) < total and time.perf_counter() < last + _PATIENCE:
        if len(took) != before:
            before, last = len(took), time.perf_counter()
        await asyncio.sleep(0.05)
    result = meter.result("message", len(took), lost=total - len(took))
    ordered = sorted(took)
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        result.figures[f"{name} ms"] = ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3
    result.figures["mean ms"] = statistics.fmean(took) * 1e3
    close(users)
    return result
