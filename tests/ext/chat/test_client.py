"""Conversations."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import JID, Client, Message, Presence
from chirrup.core.errors import LocalProtocolError, StanzaError
from chirrup.core.stanza import error_reply
from chirrup.core.xml import Element
from chirrup.ext.carbons.client import Carbons
from chirrup.ext.chat import lines
from chirrup.ext.chat.client import Chat, Chats
from chirrup.ext.chat_states.payloads import ChatState, chat_state_of
from chirrup.ext.correction.payloads import Replace
from chirrup.ext.markers.payloads import Displayed
from chirrup.ext.reactions.payloads import Reactions
from chirrup.ext.replies.payloads import Reply
from chirrup.ext.retraction.payloads import Retract
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


async def talk(alice: Client, bob: Client) -> tuple[Chat, Chat]:
    """Both ends of a conversation, which both have spoken in."""
    chat, other = alice.need(Chats).open(bob.account), bob.need(Chats).open(alice.account)
    await chat.send("Hello")
    await anext(aiter(other))
    await other.send("Hi")
    await anext(aiter(chat))
    return chat, other


async def test_what_becomes_of_what_was_said() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, other = await talk(alice, bob)
        changes, others = chat.changes(), other.changes()
        first = await chat.send("A fish in the see")
        seen = await anext(aiter(other))

        correction = await chat.correct(first, "A fish in the sea")
        change = await anext(others)
        assert (change.what, change.line.message, change.line.body) == ("corrected", seen, "A fish in the sea")
        assert change.line.corrected is not None
        assert change.line.corrected.get(Replace) == Replace(first.id)
        again = await chat.correct(correction, "Fish in the sea")
        assert again.get(Replace) == Replace(first.id)  # §4: the id of the original, each time
        assert (await anext(others)).line.body == "Fish in the sea"

        await other.react(change.line.corrected, "🐟", "👍", "🐟")
        reacted = await anext(changes)  # the own corrections first
        while reacted.what == "corrected":
            reacted = await anext(changes)
        assert (reacted.what, reacted.line.message) == ("reacted", first)
        assert reacted.line.reactions == {bob.account: ("🐟", "👍")}
        await other.react(seen)
        assert (await anext(changes)).line.reactions == {}

        answer = await other.reply(seen, "In the sea?")
        came = await anext(aiter(chat))
        assert came.body == "> A fish in the see\nIn the sea?"
        line = chat.lines.of(answer.id, own=False)
        assert line is not None
        assert (line.body, line.reply_to) == ("In the sea?", first.id)

        await chat.retract(first)
        retracted = await anext(others)
        while retracted.what == "reacted":
            retracted = await anext(others)
        assert (retracted.what, retracted.line.body, retracted.line.retracted) == ("retracted", "", True)
        await chat.send("next")
        assert (await anext(aiter(other))).body == "next"  # what stands in for a retraction is no message
        for refused in (chat.correct(came, "x"), chat.retract(came), chat.react(Message(bob.jid, "no id"), "x")):
            with pytest.raises(LocalProtocolError):
                await refused


async def test_the_other_one_can_not_change_what_was_not_theirs() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, _ = await talk(alice, bob)
        mine = await chat.send("mine")
        for payload in (Replace(mine.id), Retract(mine.id)):
            await bob.send(Message(alice.jid, "forged", payload))
        await bob.send(Message(alice.jid, None, Displayed("what?")))
        await bob.send(Message(alice.jid, "end"))
        assert [(await anext(aiter(chat))).body for _ in range(2)] == ["forged", "end"]
        line = chat.lines.of(mine.id, own=True)
        assert line is not None
        assert (line.body, line.retracted, line.displayed) == ("mine", False, False)


def reaction(emojis: str, id_: str, of: str, delay: str = "") -> str:
    inside = "".join(f"<reaction>{emoji}</reaction>" for emoji in emojis)
    late = f"<delay xmlns='urn:xmpp:delay' stamp='{delay}'/>" if delay else ""
    return (
        f"<message from='bob@localhost/b' type='chat' id='{id_}'>"
        f"<reactions xmlns='urn:xmpp:reactions:0' id='{of}'>{inside}</reactions>{late}</message>"
    )


async def test_late_reactions_do_not_take_the_place_of_newer_ones(liar: Liar) -> None:
    """XEP-0444 §4.1."""

    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send("<message from='bob@localhost/b' type='chat' id='m'><body>hi</body></message>")
        peer.send(reaction("a", "1", "m", "2020-01-01T10:00:00Z"))
        peer.send(reaction("b", "2", "m", "2020-01-01T09:00:00Z"))  # late
        peer.send(reaction("c", "3", "m", "2020-01-01T11:00:00Z"))
        peer.send(reaction("", "4", "m"))
        peer.send(reaction("d", "5", "m", "2020-01-01T12:00:00Z"))  # late
        peer.send(reaction("e", "6", "m", "no time at all"))
        peer.send("<message from='bob@localhost/b' type='chat' id='n'><body>end</body></message>")
        await peer.end()

    client = liar.client(script)
    chat = client.need(Chats).open("bob@localhost")
    changes = chat.changes()
    async with client:
        assert [(await anext(aiter(chat))).body for _ in range(2)] == ["hi", "end"]
        line = chat.lines.of("m", own=False)
        assert line is not None
        assert len(changes) == 4
        assert line.reactions == {JID("bob@localhost"): ("e",)}


async def test_reactions_that_are_returned_are_as_before() -> None:
    """XEP-0444 §3.3."""
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, other = await talk(alice, bob)
        said = await chat.send("Only hearts, please")
        seen = await anext(aiter(other))
        line = other.lines.of(said.id, own=False)
        assert line is not None
        returned = alice.messages(lambda message: message.has(Reactions))

        async def refuse() -> None:
            fault = error_reply((await anext(returned)).element, StanzaError("not-acceptable", "hearts"))
            await alice.send(Message.received(fault, alice.jid, alice))

        changes = other.changes()
        await other.react(seen, "❤")
        await anext(returned)
        await other.react(seen, "❤", "🐟")
        await refuse()
        assert [(await anext(changes)).line for _ in range(3)] == [line] * 3
        assert line.reactions == {bob.account: ("❤",)}
        await other.react(seen, "🐟")
        await other.react(seen, "👍")
        await refuse()
        await chat.send("end")
        await anext(aiter(other))
        assert line.reactions == {bob.account: ("👍",)}  # that came later, and nobody refused it


async def test_an_origin_id_is_an_id_too(liar: Liar) -> None:
    """XEP-0444 §4.2, XEP-0461 §4.1."""
    heard: list[Element] = []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o'/>"
        peer.send(f"<message from='bob@localhost/b' type='chat' id='m'><body>hi</body>{origin}</message>")
        heard.extend([await peer.read() for _ in range(2)])
        peer.send(reaction("a", "1", "o"))
        peer.send("<message from='bob@localhost/b' type='chat' id='n'><body>end</body></message>")
        await peer.end()

    client = liar.client(script)
    client.available = False
    chat = client.need(Chats).open("bob@localhost")
    async with client:
        message = await anext(aiter(chat))
        await chat.react(message, "b")
        await chat.reply(message, "and?")
        await anext(aiter(chat))
        line = chat.lines.of("o", own=False)
        assert line is not None
        assert line is chat.lines.of("m", own=False)
        assert line.reactions == {JID("bob@localhost"): ("a",), client.jid.bare: ("b",)}
    told = [element for element in heard if element.name == "message"]
    assert [Reactions.find(told[0]), Reply.find(told[1])] == [Reactions("o", ("b",)), Reply("o", JID("bob@localhost"))]


async def test_what_was_seen() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, other = await talk(alice, bob)
        changes = chat.changes()
        chat.markable = True
        sent = [await chat.send(text) for text in "123"]
        seen = [await anext(aiter(other)) for _ in range(3)]
        for message in (seen[1], seen[0], seen[1], seen[2]):
            await other.mark_displayed(message)
        lines = [(await anext(changes)).line for _ in range(2)]
        assert [line.message for line in lines] == sent[1:]
        assert all(line.displayed for line in chat.lines if line.own)
        await other.send("end")
        await anext(aiter(chat))
        assert not len(changes)  # marks go forward only


async def test_chat_states() -> None:
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, other = await talk(alice, bob)
        states = other.states()
        assert chat.state is ChatState.ACTIVE
        async with chat.composing():
            await chat.set_state(ChatState.COMPOSING)  # §5.3: not twice in a row
            await chat.send("written")
        async with chat.composing():
            pass
        thread = other.thread
        alice.need(Chats).close(chat)
        told = [await anext(states) for _ in range(5)]
        assert [state.value for state in told] == ["composing", "active", "composing", "paused", "gone"]
        assert other.thread != thread  # §7.2: it is over


async def test_who_tells_no_states_is_told_none() -> None:
    """XEP-0085 §5.1."""
    async with (
        serve() as server,
        await server.sdk("alice") as alice,
        await server.sdk("bob") as bob,
        asyncio.timeout(10),
    ):
        chat, heard = alice.need(Chats).open(bob.account), bob.messages(lambda message: True)
        await chat.set_state(ChatState.COMPOSING)  # not known yet
        await chat.send("first")
        assert chat_state_of((await anext(heard)).element) is ChatState.ACTIVE
        await bob.send(Message(alice.jid, "Hi"))
        await anext(aiter(chat))
        await chat.set_state(ChatState.COMPOSING)
        await chat.send("second")
        message = await anext(heard)
        assert (message.body, chat_state_of(message.element)) == ("second", None)


async def test_what_another_client_of_the_account_says_is_of_it() -> None:
    async with (
        serve() as server,
        await server.sdk("alice", features=[Carbons]) as alice,
        asyncio.timeout(10),
        await server.sdk("alice") as phone,
        await server.sdk("bob") as bob,
    ):
        chat = alice.need(Chats).open(bob.account)
        changes = chat.changes()
        theirs = phone.need(Chats).open(bob.account)
        said = await theirs.send("from the phone")
        await theirs.correct(said, "from my phone")
        change = await anext(changes)
        assert (change.line.own, change.line.body, change.line.message.id) == (True, "from my phone", said.id)


async def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 3)
    kept = lines.Lines()
    for number in range(5):
        kept.add(Message("bob@localhost", str(number), id=str(number)), own=True)
        kept.correct(str(number), Message("bob@localhost", "x", id=f"{number}x"), own=True)
        kept.correct(str(number), Message("bob@localhost", "y", id=f"{number}y"), own=True)
    assert [line.id for line in kept] == ["2", "3", "4"]
    assert len(kept._aliases) == 3
    kept.add(Message("bob@localhost", "again", id="4"), own=True)
    assert len(kept) == 3
    for number in range(100):
        reacted = lines.Reacted(f"r{number}", datetime.now(UTC), (str(number), *map(str, range(1000, 1100))))
        assert kept.react("2y", JID("bob@localhost"), reacted)
    assert len(next(iter(kept)).reacted[JID("bob@localhost")]) == 10
    assert len(next(iter(kept)).reactions[JID("bob@localhost")]) == lines.MOST_REACTIONS
