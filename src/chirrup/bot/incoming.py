"""A message as a bot's handlers get it, and what they can do about it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from chirrup.client.stanzas import Message
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element
from chirrup.ext.chat_states.payloads import ChatState, chat_state_of, set_chat_state
from chirrup.ext.correction.payloads import Replace

if TYPE_CHECKING:
    from chirrup.bot.bot import Bot
    from chirrup.net.clock import Timer

P = TypeVar("P", bound=Payload)

_THINKING: Final = 0.5
"""Seconds after which the bot is seen to be writing."""
_PACE: Final = 1.0
"""Seconds between two corrections of an answer that grows."""


class Incoming:
    """A message from somebody the bot talks to."""

    def __init__(self, bot: Bot, message: Message, text: str, addressed: bool, state: dict[str, Any]) -> None:
        self.bot = bot
        self.message = message
        """The stanza."""
        self.text = text
        """What was said, without the bot's name before it."""
        self.addressed = addressed
        """Whether it is for the bot: in a room, whether it begins with its name."""
        self.state = state
        """What the bot remembers of this conversation: JSON values."""
        self.match: re.Match[str] | None = None
        """What the handler's pattern has found."""
        self._shown: ChatState | None = None
        self._timer: Timer | None = None

    # -- what came

    @property
    def body(self) -> str:
        """All that was said."""
        return self.message.body

    @property
    def sender(self) -> JID:
        """Who has sent it: a full JID, in a room the occupant's."""
        return self.message.sender

    @property
    def room(self) -> JID | None:
        """The room it was said in, if it was one."""
        return self.message.sender.bare if self.message.type == "groupchat" else None

    @property
    def name(self) -> str:
        """What to call the sender."""
        return self.sender.resource if self.room else self.sender.local or self.sender.domain

    def get(self, payload: type[P]) -> P | None:
        """What else the message brings, such as a file's address. Raises PayloadError."""
        return self.message.get(payload)

    # -- answers

    async def reply(self, body: str, *payloads: Payload | Element) -> Message:
        """Answer, and return what was sent."""
        answer = self.make_reply(body, *payloads)
        await self.bot.entity.send(answer)
        return answer

    def make_reply(self, body: str, *payloads: Payload | Element, state: ChatState = ChatState.ACTIVE) -> Message:
        """The answer, not sent yet."""
        answer = self.message.make_reply(body, *payloads)
        if self._tells_states:
            self._quiet()
            self._shown = state
            set_chat_state(answer.element, state)
        return answer

    def stream(self) -> Growing:
        """An answer that is seen to grow while it is made:

        async with message.stream() as answer:
            async for word in words:
                await answer.write(word)
        """
        return Growing(self)

    # -- being seen to write (XEP-0085)

    @property
    def _tells_states(self) -> bool:
        """Only those who tell their own state want to know the bot's (§5.1), and rooms don't."""
        return self.room is None and chat_state_of(self.message.element) is not None

    def begin(self) -> None:
        """A handler begins."""
        if self._tells_states:
            self._timer = self.bot.entity.clock.call_later(_THINKING, self._think)

    def _think(self) -> None:
        self._timer = None
        self._show(ChatState.COMPOSING)

    def end(self) -> None:
        """It is done."""
        self._quiet()
        if self._shown is ChatState.COMPOSING:
            self._show(ChatState.ACTIVE)

    def _quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show(self, state: ChatState) -> None:
        self._shown = state
        message = self.message.make_reply()
        set_chat_state(message.element, state)
        self.bot.entity.spawn(self.bot.entity.send(message))


class Growing:
    """An answer that is sent again, corrected, while it grows (XEP-0308)."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._send: Callable[[Message], Awaitable[None]] = incoming.bot.entity.send
        self._now = incoming.bot.entity.clock.monotonic
        self._due = self._now() + _PACE
        self._first: Message | None = None
        self._sent = ""
        self.text = ""
        """What there is of it."""

    async def write(self, text: str) -> None:
        """Add to it. It is sent at most once a second."""
        self.text += text
        if self.text.strip() and self._now() >= self._due:
            await self._show(ChatState.COMPOSING)
            self._due = self._now() + _PACE

    async def _show(self, state: ChatState) -> None:
        replaces = () if self._first is None else (Replace(self._first.id),)
        message = self._incoming.make_reply(self.text, *replaces, state=state)
        await self._send(message)
        self._first = self._first or message
        self._sent = self.text

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What there is goes out, also where the rest failed."""
        if self.text != self._sent and self.text.strip() and (error is None or isinstance(error, Exception)):
            await self._show(ChatState.ACTIVE)
