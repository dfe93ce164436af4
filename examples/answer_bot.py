"""Answers questions from a file, or with --web from the web; shows that it writes, and speaks in rooms only when named.

CHIRRUP_JID=answers@localhost CHIRRUP_PASSWORD=… python examples/answer_bot.py
CHIRRUP_CA=data/certificates/localhost.crt names a certificate that the server has made itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from chirrup import Bot, Incoming

Source = Callable[[str], Awaitable[str | None]]
"""Gives the answer to a question, if there is one."""


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def knowledge(file: Path) -> Source:
    """A file with a line for each answer: the words of the question, "=", the answer."""
    lines = [line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#"]
    answers = [(words(question), answer.strip()) for question, answer in lines]

    async def look_up(question: str) -> str | None:
        fit, answer = max((len(words(question) & known) / len(known), answer) for known, answer in answers)
        return answer if fit > 0.7 else None

    return look_up


async def web(question: str) -> str | None:
    """DuckDuckGo's instant answers."""
    query = urlencode({"q": question, "format": "json", "no_html": 1})
    with await asyncio.to_thread(urlopen, f"https://api.duckduckgo.com/?{query}", timeout=20) as found:
        return json.load(found)["AbstractText"] or None


source = web if "--web" in sys.argv else knowledge(Path(__file__).with_name("answers.txt"))
jid, password = os.environ.get("CHIRRUP_JID", "answers@localhost"), os.environ.get("CHIRRUP_PASSWORD", "")
bot = Bot(jid, password, ca=os.environ.get("CHIRRUP_CA"), subscriptions="everybody")


@bot.respond(r".")
async def answer(message: Incoming) -> None:
    await message.reply(await source(message.text) or "I don't know. Ask me something else.")


if __name__ == "__main__":
    bot.run()
