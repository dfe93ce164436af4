"""Chirrup's client."""

from __future__ import annotations

import asyncio

from bench.libraries import common
from chirrup import Client, Message


def client(number: int, port: int) -> Client:
    jid = f"user{number}@localhost/bench"
    return Client(jid, common.PASSWORD, host="127.0.0.1", port=port, verify=False)


async def main() -> None:
    port, mode, count = common.arguments()
    if mode == "idle":

        async def log_in(number: int) -> Client:
            made = client(number, port)
            await made.connect()
            return made

        await common.idle(log_in, count)
        return
    echo, left = client(0, port), count
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @echo.on_message
    async def answer(message: Message) -> None:
        nonlocal left
        await message.reply(message.body)
        left -= 1
        if not left:
            done.set_result(None)

    await echo.connect()
    await common.measure(done)


if __name__ == "__main__":
    asyncio.run(main())
