"""aioxmpp."""

from __future__ import annotations

import asyncio
from typing import Any

import aioxmpp
import aioxmpp.connector
import aioxmpp.dispatcher

from bench.libraries import common


async def connect(number: int, port: int) -> Any:
    made = aioxmpp.PresenceManagedClient(
        aioxmpp.JID.fromstr(f"user{number}@localhost/bench"),
        aioxmpp.make_security_layer(common.PASSWORD, no_verify=True),
        override_peer=[("127.0.0.1", port, aioxmpp.connector.STARTTLSConnector())],
    )
    entered = made.connected()
    await entered.__aenter__()
    made.entered = entered
    return made


async def main() -> None:
    port, mode, count = common.arguments()
    if mode == "idle":
        await common.idle(lambda number: connect(number, port), count)
        return
    echo, left = await connect(0, port), count
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(message: Any) -> None:
        nonlocal left
        if not message.body:
            return
        reply = message.make_reply()
        reply.body.update(message.body)
        echo.enqueue(reply)
        left -= 1
        if not left:
            done.set_result(None)

    echo.summon(aioxmpp.dispatcher.SimpleMessageDispatcher).register_callback(aioxmpp.MessageType.CHAT, None, answer)
    await common.measure(done)


if __name__ == "__main__":
    asyncio.run(main())
