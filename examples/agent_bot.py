"""The skeleton of an agent: a model that calls tools, an allow list, answers that grow, and files that come along.

`model` is where a real one goes; the one here knows two words, so that the example runs without any.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from chirrup import Bot, Incoming
from chirrup.ext.oob.payloads import Link


async def clock(argument: str) -> str:
    return f"It is {datetime.now(UTC):%H:%M} UTC."


async def count(argument: str) -> str:
    return f"{len(argument.split())} words."


TOOLS = {"time": clock, "count": count}


async def model(history: list[str]) -> AsyncIterator[str]:
    """Answer the last line, bit by bit: here, by the tool that its first word names."""
    name, _, argument = history[-1].partition(" ")
    tool = TOOLS.get(name.casefold())
    for word in (await tool(argument) if tool else f"I can do: {', '.join(TOOLS)}.").split(" "):
        yield f"{word} "


allow = os.environ.get("CHIRRUP_ALLOW", "localhost").split(",")
jid, password = os.environ.get("CHIRRUP_JID", "agent@localhost"), os.environ.get("CHIRRUP_PASSWORD", "")
bot = Bot(jid, password, ca=os.environ.get("CHIRRUP_CA"), allow=allow, state=os.environ.get("CHIRRUP_STATE"))


@bot.respond(r".")
async def answer(message: Incoming) -> None:
    file = message.get(Link)
    history = message.state.setdefault("history", [])
    history.append(f"{message.text} ({file.url})" if file else message.text)
    async with message.stream() as growing:
        async for words in model(history):
            await growing.write(words)
    message.state["history"] = [*history, growing.text.strip()][-40:]


@bot.command("/forget", at_once=True)
async def forget(message: Incoming) -> None:
    """Begins anew."""
    message.state.clear()
    await message.reply("Forgotten.")


if __name__ == "__main__":
    bot.run()
