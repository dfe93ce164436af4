"""Conversations of a client with one other person each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message, on_presence
from chirrup.client.feed import Feed
from chirrup.client.stanzas import Message, Presence
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import Element


class Chat:
    """A conversation: `async for message in chat`, `await chat.send("Hello")`.

    What is sent goes to the resource that the other one wrote from last, until their presence changes (RFC 6121
    §5.1)."""

    def __init__(self, entity: Entity, jid: JID, thread: str) -> None:
        self._entity = entity
        self.jid = jid
        """The other one's bare JID."""
        self.to = jid
        """Where the next message goes."""
        self.thread = thread
        """The conversation's thread; the other one's, once they have written in another."""
        self._messages: Feed[Message] = Feed(most=1000)

    async def send(self, body: str | None = None, *payloads: Payload | Element | None) -> Message:
        """Send something, and return it."""
        message = Message(self.to, body, *payloads, thread=self.thread)
        await self._entity.send(message)
        return message

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._messages

    def came(self, message: Message) -> None:
        """Take a message of the other one's."""
        self.to = message.sender
        self.thread = message.thread or self.thread
        self._messages.put(message)

    def close(self) -> None:
        self._messages.close()


class Chats(Feature):
    """The conversations that the program holds."""

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._chats: dict[JID, Chat] = {}

    def open(self, jid: JID | str) -> Chat:
        """The conversation with somebody, begun if there is none."""
        address = (JID.parse(jid) if isinstance(jid, str) else jid).bare
        chat = self._chats.get(address)
        if chat is None:
            chat = self._chats[address] = Chat(self.entity, address, secrets.token_urlsafe(12))
        return chat

    def close(self, chat: Chat) -> None:
        """Forget a conversation; whoever reads it comes to its end."""
        if self._chats.get(chat.jid) is chat:
            del self._chats[chat.jid]
        chat.close()

    @on_message()
    def message(self, message: Message) -> None:
        chat = self._chats.get(message.sender.bare)
        if chat is not None and not message.outgoing and message.type in ("chat", "normal") and message.body:
            chat.came(message)

    @on_presence()
    def presence(self, presence: Presence) -> None:
        chat = self._chats.get(presence.sender.bare)
        if chat is not None and presence.type in ("available", "unavailable"):
            chat.to = chat.jid
