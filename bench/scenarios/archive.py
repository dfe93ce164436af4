"""Pages of an archive with many messages in it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.client import available, close
from bench.peers import Running
from bench.scenarios.chat import SMALL, Pair
from bench.scenarios.result import Meter, Result

_QUERY: Final = (
    "<iq type='set' id='{id}'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>"
    "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
    "<field var='with'><value>{peer}</value></field></x>"
    "<set xmlns='http://jabber.org/protocol/rsm'><max>50</max><before/></set></query></iq>"
)
_READER: Final = "archive0"
_WRITER: Final = "archive1"
_WINDOW: Final = 64
_PAGE: Final = 50


async def fill(server: Running, *, messages: int, longest: float) -> dict[str, float]:
    """Let an account get so many messages, which its server archives, or as many as arrive in `longest` seconds: some
    servers become slower with each message in an archive."""
    reader, writer = await available(server.port, [_READER, _WRITER])
    pair = Pair(writer, reader, SMALL.format(to=reader.jid).encode(), _WINDOW, messages)
    enough = asyncio.get_running_loop().call_later(longest, pair.stop)
    pair.begin()
    await pair.wait(30)
    enough.cancel()
    await writer.settle()
    close([reader, writer])
    return {"messages in the archive": pair.received}


async def last_page(server: Running, *, queries: int, longest: float) -> Result:
    """The last 50 messages with somebody, out of a filled archive: so many queries, one after another, or as many as
    are answered in `longest` seconds. Messages that a page lacks are lost."""
    (reader,) = await available(server.port, [_READER], register=False)
    meter = Meter(server)
    times: list[float] = []
    missing = 0
    while len(times) < queries and sum(times) < longest:
        identifier = f"query{len(times)}."
        began = time.perf_counter()
        reader.write(_QUERY.format(id=identifier, peer=f"{_WRITER}@localhost").encode())
        page = bytearray()
        await reader.expect(identifier.encode(), seconds=120, keep=page)
        times.append(time.perf_counter() - began)
        missing += _PAGE - page.count(b"</forwarded>")
    result = meter.result("query", len(times), lost=missing)
    result.figures["ms a query"] = sorted(times)[len(times) // 2] * 1000
    close([reader])
    return result
