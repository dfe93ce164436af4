"""slixmpp."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import slixmpp

from bench.libraries import common


def client(number: int) -> slixmpp.ClientXMPP:
    made = slixmpp.ClientXMPP(f"user{number}@localhost/bench", common.PASSWORD)
    made.ssl_context.check_hostname = False
    made.ssl_context.verify_mode = ssl.CERT_NONE
    return made


async def connect(made: slixmpp.ClientXMPP, port: int) -> None:
    online: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def started(_: Any) -> None:
        made.send_presence()
        online.set_result(None)

    made.add_event_handler("session_start", started)
    made.connect("127.0.0.1", port)
    await online


async def main() -> None:
    port, mode, count = common.arguments()
    if mode == "idle":

        async def log_in(number: int) -> slixmpp.ClientXMPP:
            made = client(number)
            await connect(made, port)
            return made

        await common.idle(log_in, count)
        return
    echo, left = client(0), count
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer(message: Any) -> None:
        nonlocal left
        if message["type"] in ("chat", "normal"):
            message.reply(message["body"]).send()
            left -= 1
            if not left:
                done.set_result(None)

    echo.add_event_handler("message", answer)
    await connect(echo, port)
    await common.measure(done)


if __name__ == "__main__":
    asyncio.run(main())
