"""Bots: programs that answer people, written as decorated handlers.

bot = Bot("bot@example.org", "password")

@bot.on_message
async def echo(message: Incoming) -> None:
    await message.reply(message.body)

bot.run()

This package stands on top of the SDK: it may import the client and every feature's client half, and nothing of the
server.
"""

from __future__ import annotations

from chirrup.bot.bot import Bot
from chirrup.bot.handlers import Plugin
from chirrup.bot.incoming import Incoming

__all__ = ["Bot", "Incoming", "Plugin"]
