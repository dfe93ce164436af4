"""Conversations."""

from __future__ import annotations

import asyncio

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import Message, Presence
from chirrup.ext.chat.client import Chats
from chirrup.testing import serve


async def test_a_conversation() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        chat = alice.need(Chats).open("bob@localhost/x")
        assert alice.need(Chats).open("bob@localhost") is chat
        heard = bob.messages()
        async with asyncio.timeout(10):
            await chat.send("Hello")
            message = await anext(heard)
            assert (message.body, message.thread, message.to) == ("Hello", chat.thread, bob.account)
            await bob.send(Message(alice.jid, "from another thread", thread="T"))
            answer = await anext(aiter(chat))
            assert answer.body == "from another thread"
            assert (chat.to, chat.thread) == (bob.jid, "T")
            await chat.send("there")
            assert (await anext(heard)).to == bob.jid
            seen = alice.presences(lambda presence: presence.sender == bob.jid)
            await bob.send(Presence(alice.jid, show="away"))
            await anext(seen)
        assert chat.to == bob.account  # RFC 6121 §5.1: unlocked by presence
        alice.need(Chats).close(chat)
        with pytest.raises(StopAsyncIteration):
            await anext(aiter(chat))
        assert alice.need(Chats).open("bob@localhost") is not chat


async def test_only_texts_of_the_other_one_are_of_it(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        for sender, inside in (
            ("carol@localhost/c", "<body>no</body>"),
            ("bob@localhost/b", ""),
            ("bob@localhost/b' type='error", "<body>no</body>"),
            ("bob@localhost/b' type='groupchat", "<body>no</body>"),
            ("bob@localhost/b", "<body>yes</body>"),
        ):
            peer.send(f"<message from='{sender}'>{inside}</message>")
        await peer.end()

    client = liar.client(script)
    chat = client.need(Chats).open("bob@localhost")
    async with client:
        assert (await anext(aiter(chat))).body == "yes"
