"""Echo: says what is said to it.

CHIRRUP_JID=echo@localhost CHIRRUP_PASSWORD=… python examples/echo_bot.py
CHIRRUP_CA=data/certificates/localhost.crt names a certificate that the server has made itself.
"""

from __future__ import annotations

import os

from chirrup import Bot, Incoming

bot = Bot(
    os.environ.get("CHIRRUP_JID", "echo@localhost"),
    os.environ.get("CHIRRUP_PASSWORD", ""),
    ca=os.environ.get("CHIRRUP_CA"),
)


@bot.on_message
async def echo(message: Incoming) -> None:
    await message.reply(message.text)


if __name__ == "__main__":
    bot.run()
