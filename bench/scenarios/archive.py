"""Pages of an archive with many messages in it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.client import Connection, available, close
from bench.peers import Running
from bench.scenarios.chat import SMALL, Pair
from bench.scenarios.result import Meter, Result

_QUERY: Final = (
    "<iq type='set' id='{id}'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    "<field var='with'><value>{peer}</value></field></x>"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set></query></iq>"
)
_PAGE: Final = 50
_WINDOW: Final = 64
_LONGEST_FILL: Final = 300.0
"""Seconds after which an archive is as full as it gets: some servers become slower with each message in it."""


async def last_page(server: Running, *, messages: int, queries: int) -> Result:
    """The last 50 messages with somebody, out of an archive of so many, one query after another."""
    reader, writer = await available(server.port, ["archive0", "archive1"])
    stored = await _fill(reader, writer, messages)
    meter = Meter(server)
    times = []
    for number in range(queries):
        began = time.perf_counter()
        query = _QUERY.format(id=f"query{number}.", peer=writer.jid.partition("/")[0])
        reader.write(query.encode())
        await reader.expect(f"query{number}.".encode(), seconds=120)
        times.append(time.perf_counter() - began)
    result = meter.result("query", queries)
    result.figures["ms a query"] = sorted(times)[len(times) // 2] * 1000
    result.figures["messages in the archive"] = stored
    close([reader, writer])
    return result


async def _fill(reader: Connection, writer: Connection, messages: int) -> int:
    """How many messages the archive has then."""
    pair = Pair(writer, reader, SMALL.format(to=reader.jid).encode(), _WINDOW, messages)
    pair.begin()
    try:
        async with asyncio.timeout(_LONGEST_FILL):
            await pair.wait(30)
    except TimeoutError:
        pair.stop()
        await asyncio.sleep(2)
    await writer.settle()
    return pair.received
