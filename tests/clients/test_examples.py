"""The examples, and people whose programs are slixmpp and profanity, over TLS that is checked."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from chirrup import Bot, Client

EXAMPLES = Path(__file__).parents[2] / "examples"
Run = Callable[[str, str], Awaitable[Bot]]


@pytest.fixture
async def run(server: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Runs the bot of an example as one of the accounts."""
    async with AsyncExitStack() as stack:

        async def start(example: str, name: str) -> Bot:
            monkeypatch.setattr("sys.argv", [example])
            spec = importlib.util.spec_from_file_location(example, EXAMPLES / f"{example}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            bot: Bot = module.bot
            bot.entity = Client(
                f"{name}@localhost", "secret", host="127.0.0.1", port=server.port, ca=server.certificate
            )
            return await stack.enter_async_context(bot)

        yield start


async def test_the_echo_bot_and_slixmpp(run: Run, online: Any) -> None:
    await run("echo_bot", "bob")
    alice = await online("alice")
    alice.send_message("bob@localhost", "Good <night>!", mtype="chat")
    said = await alice.next("message", lambda message: message["body"])
    assert (said["from"].bare, said["type"], said["body"]) == ("bob@localhost", "chat", "Good <night>!")


async def test_the_answer_bot_accepts_slixmpp(run: Run, online: Any) -> None:
    await run("answer_bot", "carol")
    dave = await online("dave")
    dave.send_presence_subscription(pto="carol@localhost")
    await dave.next("presence_subscribed")
    await dave.has_online("carol")
    dave.send_message("carol@localhost", "What is a JID?", mtype="chat")
    said = await dave.next("message", lambda message: message["body"])
    assert said["body"].startswith("A JID is an address")


@pytest.mark.needs("profanity", "tmux")
async def test_the_answer_bot_and_profanity(run: Run, profanity: Any) -> None:
    await run("answer_bot", "erin")
    frank = await profanity("frank")
    await frank.type("/msg erin@localhost what is a stanza?")
    await frank.shows("A stanza is what travels")
