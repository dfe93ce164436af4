"""`rehearse()`: a bot without a server, and people who talk to it.

async with rehearse(bot) as stage:
    alice = stage.person("alice@example.org")
    assert await alice.say("/weather Verona") == "Sunny"
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from chirrup.client.entity import Entity
from chirrup.client.link import Link
from chirrup.client.negotiation import Negotiated
from chirrup.client.stanzas import Message
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, STREAMS, Element
from chirrup.testing.clock import FakeClock

if TYPE_CHECKING:
    from chirrup.bot.bot import Bot

_HEADER: Final = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
_REPLACE: Final = "urn:xmpp:message-correct:0"
TIMEOUT: Final = 10.0
"""Seconds after which a handler that doesn't end is given up: a fault, never a measurement."""


class Stage(Entity):
    """The bot's end of a connection to nowhere. Made by `rehearse`."""

    def __init__(self, jid: JID) -> None:
        self.stage_clock = FakeClock()
        """The bot's time, which stands still but for `stage_clock.advance(seconds)`."""
        super().__init__(jid, reconnect=False, clock=self.stage_clock)
        self.sent: list[Element] = []
        """All that the bot has sent, oldest first."""
        self._heard = StreamParser(Limits())
        self._heard.feed(_HEADER)
        self._count = 0

    async def negotiate(self) -> Negotiated:
        link = Link(asyncio.get_running_loop(), "the stage")
        link.connection_made(_Boards(self, link))
        parser = StreamParser(Limits())
        parser.feed(_HEADER)
        return Negotiated(link, parser, b"", self.jid, Element("features", STREAMS))

    def person(self, jid: str) -> Person:
        """Somebody who may talk to the bot; with a resource, a client of theirs, or a room's occupant."""
        return Person(self, JID(jid))

    def heard(self, octets: bytes) -> None:
        """The bot has sent something."""
        self.sent += self._heard.feed(octets)

    async def quiet(self) -> None:
        """Return when the bot has done all that there was to do."""
        async with asyncio.timeout(TIMEOUT):
            while self._tasks:
                await asyncio.wait(self._tasks)
        for _ in range(2):
            await asyncio.sleep(0)  # what was written leaves at the end of the loop's turn

    def next_id(self) -> str:
        self._count += 1
        return f"said{self._count}"

    def deliver(self, stanza: Element) -> None:
        """Let the bot receive something."""
        assert self._link is not None, "the bot isn't online"
        self.link_received(self._link, stanza.to_bytes())

    def _say_farewell(self, link: Link) -> None:
        link.connection_lost(None)


class Person:
    """Somebody on the stage."""

    def __init__(self, stage: Stage, jid: JID) -> None:
        self.jid = jid
        self._stage = stage

    async def say(self, text: str, *payloads: Payload | Element, room: bool = False) -> str:
        """Say something, and return what the bot has answered when it is done: its last answer, corrections included;
        "" for none. With `room`, it is said in the room that the address is of."""
        return (await self.converse(text, *payloads, room=room) or [""])[-1]

    async def converse(self, text: str, *payloads: Payload | Element, room: bool = False) -> list[str]:
        """The same, with all answers."""
        already = len(self._stage.sent)
        message = Message(self._stage.jid, text, *payloads, type="groupchat" if room else "chat")
        message.element.set("id", self._stage.next_id()).set("from", self.jid)
        self._stage.deliver(message.element)
        await self._stage.quiet()
        return self._answers(already)

    @property
    def received(self) -> list[Element]:
        """All messages that the bot has sent to them, or to the room, oldest first."""
        return [one for one in self._stage.sent if one.name == "message" and JID(one.get("to")).bare == self.jid.bare]

    def _answers(self, already: int) -> list[str]:
        texts: dict[str, str] = {}
        for stanza in self._stage.sent[already:]:
            if stanza.name != "message" or JID(stanza.get("to")).bare != self.jid.bare:
                continue
            body = stanza.child("body", CLIENT)
            if body is not None:
                replaced = stanza.child("replace", _REPLACE)
                texts[stanza.get("id") if replaced is None else replaced.get("id")] = body.text
        return list(texts.values())


class _Boards(asyncio.Transport):
    """Where the bot's octets go."""

    def __init__(self, stage: Stage, link: Link) -> None:
        super().__init__()
        self._stage = stage
        self._link = link
        self._closed = False

    def write(self, data: Any) -> None:
        if not self._closed:
            self._stage.heard(bytes(data))

    def close(self) -> None:
        self._closed = True

    abort = close

    def is_closing(self) -> bool:
        return self._closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


@asynccontextmanager
async def rehearse(bot: Bot, jid: str = "bot@example.org/stage") -> AsyncIterator[Stage]:
    """Let a bot run without a connection, under this address, until the block ends."""
    stage = Stage(JID(jid))
    bot.entity = stage
    async with bot:
        yield stage
