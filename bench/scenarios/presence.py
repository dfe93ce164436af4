"""Presence that many watch."""

from __future__ import annotations

import asyncio
import itertools

from bench.client import available, close, in_parallel
from bench.counting import Counter
from bench.peers import Running
from bench.scenarios.result import Meter, Result


async def presence(server: Running, *, users: int, contacts: int, changes: int) -> Result:
    """Users with mutual subscriptions who all change their presence; a unit is a presence delivered."""
    names = [f"pres{n}" for n in range(users)]
    connections = await available(server.port, names, tls=True, presence=False)
    counters = []
    for connection in connections:
        connection.write(b"<presence/>")
    await in_parallel([connection.settle() for connection in connections])
    # Both sides of each pair ask and grant; whatever order that is processed in, it ends as "both".
    for number, connection in enumerate(connections):
        for step in range(1, contacts // 2 + 1):
            for other in (names[(number + step) % users], names[(number - step) % users]):
                connection.write(f"<presence to='{other}@localhost' type='subscribe'/>".encode())
    await in_parallel([connection.settle() for connection in connections])
    for number, connection in enumerate(connections):
        for step in range(1, contacts // 2 + 1):
            for other in (names[(number + step) % users], names[(number - step) % users]):
                connection.write(f"<presence to='{other}@localhost' type='subscribed'/>".encode())
    await in_parallel([connection.settle() for connection in connections])
    await asyncio.sleep(1)
    for connection in connections:
        counter = Counter(b"<show>")
        connection.on_data = counter.feed
        counters.append(counter)
    wanted = users * (contacts // 2 * 2) * changes
    meter = Meter(server)
    for show in itertools.islice(itertools.cycle(("away", "chat", "dnd", "xa")), changes):
        for connection in connections:
            connection.write(f"<presence><show>{show}</show></presence>".encode())
        await asyncio.sleep(0)
    before = -1
    while (total := sum(counter.total for counter in counters)) < wanted and total != before:
        before = total
        for _ in range(40):
            await asyncio.sleep(0.05)
            if sum(counter.total for counter in counters) >= wanted:
                break
    # A session's own copy of its presence comes back to it as well: it isn't counted as lost or delivered twice.
    total = sum(counter.total for counter in counters)
    result = meter.result("delivery", total, lost=max(0, wanted - total))
    close(connections)
    return result
