"""Chirrup's client."""

import asyncio

import common

from chirrup import Client


def client(number, port, **options):
    jid = f"user{number}@localhost/bench"
    return Client(jid, common.PASSWORD, host="127.0.0.1", port=port, verify=False, **options)


async def main():
    port, mode, count = common.arguments()
    if mode == "idle":

        async def log_in(number):
            made = client(number, port)
            await made.connect()
            return made

        await common.idle(log_in, count)
        return
    echo, left = client(0, port), count
    done = asyncio.get_running_loop().create_future()

    @echo.on_message
    async def answer(message):
        nonlocal left
        await message.reply(message.body)
        left -= 1
        if not left:
            done.set_result(None)

    await echo.connect()
    await common.measure(done)


asyncio.run(main())
