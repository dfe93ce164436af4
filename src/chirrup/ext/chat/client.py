"""Conversations of a client with one other person each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, on_message, on_presence
from chirrup.client.feed import Feed, Feeds
from chirrup.client.stanzas import Message, Presence
from chirrup.client.states import ConnectionState
from chirrup.core.errors import AddressError, LocalProtocolError, NetworkError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.chat.lines import Change, Line, Lines, Reacted, read
from chirrup.ext.chat_states import NS as CHAT_STATES
from chirrup.ext.chat_states.payloads import ChatState, chat_state_of, set_chat_state
from chirrup.ext.correction import NS as CORRECTION
from chirrup.ext.correction.payloads import Replace
from chirrup.ext.delay.payloads import Delay
from chirrup.ext.fallback.payloads import BodyRegion, Fallback
from chirrup.ext.hints.payloads import Hint, add_hints
from chirrup.ext.markers import NS as MARKERS
from chirrup.ext.markers.payloads import Displayed, Markable
from chirrup.ext.reactions import NS as REACTIONS
from chirrup.ext.reactions.payloads import Reactions
from chirrup.ext.receipts.client import Receipts
from chirrup.ext.replies import NS as REPLIES
from chirrup.ext.replies.payloads import Reply
from chirrup.ext.retraction import NS as RETRACTION
from chirrup.ext.retraction.payloads import Retract
from chirrup.ext.stanza_ids.payloads import OriginId

_TAKEN_BACK: Final = "/me took a message back, which your client doesn't show."
_MOST_WAITING: Final = 1_000


class Chat:
    """A conversation: `async for message in chat`, `await chat.send("Hello")`.

    What is sent goes to the resource that the other one wrote from last, until their presence changes (RFC 6121
    §5.1). `lines` has the latest of what was said by both, as it stands now; `changes()` tells what changes in it."""

    def __init__(self, entity: Entity, jid: JID, thread: str) -> None:
        self._entity = entity
        self.jid = jid
        """The other one's bare JID."""
        self.to = jid
        """Where the next message goes."""
        self.thread = thread
        """The conversation's thread; the other one's, once they have written in another."""
        self.lines = Lines()
        self.state: ChatState | None = None
        """What the other one is doing, as far as they tell."""
        self.show_states = True
        """Whether to tell the other one what the program is doing, if they tell as well (XEP-0085)."""
        self.markable = False
        """Whether to ask to be told what the other one has seen (XEP-0333)."""
        self._tells_states: bool | None = None
        self._own_state: ChatState | None = None
        self._marked: Line | None = None
        self._messages: Feed[Message] = Feed(most=_MOST_WAITING)
        self._changes: Feeds[Change] = Feeds()
        self._states: Feeds[ChatState] = Feeds()

    def __aiter__(self) -> AsyncIterator[Message]:
        """The other one's messages that have a text; what corrects one that is in `lines` isn't among them."""
        return self._messages

    def changes(self) -> Feed[Change]:
        """What becomes of the lines from now on; the latest if nobody reads."""
        return self._changes.open(most=_MOST_WAITING)

    def states(self) -> Feed[ChatState]:
        """What the other one does from now on."""
        return self._states.open(most=_MOST_WAITING)

    # -- saying something

    async def send(self, body: str | None = None, *payloads: Payload | Element | None) -> Message:
        """Send something, and return it."""
        message = self._make(body, *payloads)
        await self._send(message)
        return message

    async def deliver(self, body: str, *payloads: Payload | Element | None, timeout: float | None = None) -> Message:
        """Send something, and return it when it has arrived: raises as `Receipts.send` does where it hasn't."""
        message = self._make(body, *payloads)
        self._note(message)
        await self._entity.need(Receipts).send(message, timeout=timeout)
        return message

    async def reply(self, to: Message, body: str, *payloads: Payload | Element | None, quote: bool = True) -> Message:
        """Answer a certain message (XEP-0461). With `quote` it is quoted for clients that don't know replies."""
        reply = Reply(_reference(to), self.jid if not to.outgoing else self._entity.jid.bare)
        quoted = "".join(f"> {line}\n" for line in to.body.splitlines()) if quote else ""
        fallback = Fallback(REPLIES, (BodyRegion(0, len(quoted)),)) if quoted else None
        return await self.send(quoted + body, reply, fallback, *payloads)

    async def correct(self, message: Message, body: str) -> Message:
        """Say something else in place of an own message; all else in it stays. Gives the correction."""
        if not message.outgoing:
            raise LocalProtocolError("only who wrote a message can correct it (XEP-0308 §5)")
        correction = self._make(body)
        dropped = {("body", CLIENT), ("thread", CLIENT), ("replace", CORRECTION)}
        kept = [
            one for one in message.element.elements() if (one.name, one.ns) not in dropped and one.ns != CHAT_STATES
        ]
        quotation = ("fallback", Fallback.NS)  # its regions were those of the former text
        correction.add(*[one.copy() for one in kept if (one.name, one.ns) != quotation], Replace(_id(message)))
        await self._send(correction)
        return correction

    async def retract(self, message: Message) -> None:
        """Take an own message back. The other side may have it still (XEP-0424 §7)."""
        if not message.outgoing:
            raise LocalProtocolError("only who wrote a message can take it back (XEP-0424 §5)")
        retraction = self._make(_TAKEN_BACK, Retract(_id(message)), Fallback(RETRACTION))
        add_hints(retraction.element, Hint.STORE)
        await self._send(retraction)

    async def react(self, message: Message, *emojis: str) -> None:
        """Let these be the reactions to a message, none for none (XEP-0444)."""
        reactions = self._make(None, Reactions(_reference(message), tuple(dict.fromkeys(emojis))))
        add_hints(reactions.element, Hint.STORE)
        await self._send(reactions)

    # -- showing something

    async def mark_displayed(self, message: Message) -> None:
        """Tell the other one that their message was seen, and all before it, if they asked for that."""
        line = self.lines.of(message.id, own=False)
        if line is None or not message.has(Markable) or self._was_marked(line):
            return
        self._marked = line
        await self._send(self._make(None, Displayed(line.id)))

    def _was_marked(self, line: Line) -> bool:
        """Marks only go forward (XEP-0333 §7)."""
        for one in self.lines:
            if one is line:
                return one is self._marked
            if one is self._marked:
                return False
        return True

    async def set_state(self, state: ChatState) -> None:
        """Tell what the program is doing, unless the other one doesn't tell such things or was told just that."""
        if self.show_states and self._tells_states and state is not self._own_state:
            message = Message(self.to, thread=self.thread)
            set_chat_state(message.element, state)
            self._own_state = state
            await self._entity.send(message)

    @asynccontextmanager
    async def composing(self) -> AsyncIterator[None]:
        """Shows that the program writes, until it has sent something or the block ends."""
        await self.set_state(ChatState.COMPOSING)
        try:
            yield
        finally:
            if self._own_state is ChatState.COMPOSING:
                with suppress(NetworkError):
                    await self.set_state(ChatState.PAUSED)

    # -- how it is done

    def _make(self, body: str | None, *payloads: Payload | Element | None) -> Message:
        message = Message(self.to, body, *payloads, thread=self.thread, id=self._entity.make_id())
        if body:
            if self.show_states and self._tells_states is not False and chat_state_of(message.element) is None:
                set_chat_state(message.element, ChatState.ACTIVE)
            if self.markable:
                message.add(Markable())
        return message

    async def _send(self, message: Message) -> None:
        self._note(message)
        await self._entity.send(message)

    def _note(self, message: Message) -> None:
        if message.body:
            self._own_state = chat_state_of(message.element)
        self._take(message)

    def came(self, message: Message) -> None:
        """Take a message of the other one's, or one of the own account's from another client."""
        if not message.outgoing:
            self._take_state(message)
        is_text = self._take(message)
        if is_text and not message.outgoing:
            self.to = message.sender
            self.thread = message.thread or self.thread
            self._messages.put(message)

    def _take_state(self, message: Message) -> None:
        state = chat_state_of(message.element)
        if state is None:
            if message.body:
                self._tells_states = False
            return
        self._tells_states = True
        if state is ChatState.GONE:
            self.thread = new_thread()
        if state is not self.state:
            self.state = state
            self._states.put(state)

    def _take(self, message: Message) -> bool:
        """See what a message does to the lines. Whether it is a new one of them."""
        own = message.outgoing
        change: Change | None = None
        if (retract := read(message, Retract)) is not None:
            change = self.lines.retract(retract.id, own=own)
        elif (reactions := read(message, Reactions)) is not None:
            delay = read(message, Delay)
            at = delay.stamp if delay is not None else datetime.fromtimestamp(self._entity.clock.time(), UTC)
            reacted = Reacted(message.id, at, reactions.emojis)
            who = self._entity.jid.bare if own else self.jid
            change = self.lines.react(reactions.id, who, reacted, delayed=delay is not None)
        elif (displayed := read(message, Displayed)) is not None and not own:
            change = self.lines.display(displayed.id)
        elif message.body:
            replace = read(message, Replace)
            change = None if replace is None else self.lines.correct(replace.id, message, own=own)
            if change is None:
                self.lines.add(message, own=own)
                return True
        if change is not None:
            self._changes.put(change)
        return False

    def returned(self, message: Message) -> None:
        """What was sent has come back."""
        change = self.lines.refuse_reaction(message.id, self._entity.jid.bare)
        if change is not None:
            self._changes.put(change)

    def close(self) -> None:
        self._messages.close()
        self._changes.close()
        self._states.close()


class Chats(Feature):
    """The conversations that the program holds."""

    xeps = (
        (85, "2.1", ""), (308, "1.2.1", ""), (333, "1.0.0", ""), (424, "0.4.2", ""), (428, "0.2.1", ""),
        (444, "0.2.1", ""), (461, "0.2.1", ""),
    )  # fmt: skip
    features = (CHAT_STATES, CORRECTION, MARKERS, REACTIONS, REPLIES, RETRACTION)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._chats: dict[JID, Chat] = {}

    def open(self, jid: JID | str) -> Chat:
        """The conversation with somebody, begun if there is none."""
        address = (JID.parse(jid) if isinstance(jid, str) else jid).bare
        chat = self._chats.get(address)
        if chat is None:
            chat = self._chats[address] = Chat(self.entity, address, new_thread())
        return chat

    def close(self, chat: Chat) -> None:
        """Forget a conversation, and tell the other one that the program has left it; whoever reads it comes to its
        end."""
        if self._chats.get(chat.jid) is chat:
            del self._chats[chat.jid]
            if chat.state is not None and self.entity.state is ConnectionState.ONLINE:
                self.entity.spawn(chat.set_state(ChatState.GONE))
        chat.close()

    @on_message()
    def message(self, message: Message) -> None:
        if not self._chats or message.type not in ("chat", "error", "normal"):
            return
        try:
            other = message.to if message.outgoing else message.sender
        except AddressError:
            return
        chat = self._chats.get(other.bare) if other is not None else None
        if chat is None:
            return
        if message.type != "error":
            chat.came(message)
        elif not message.outgoing:
            chat.returned(message)

    @on_presence()
    def presence(self, presence: Presence) -> None:
        chat = self._chats.get(presence.sender.bare)
        if chat is not None and presence.type in ("available", "unavailable"):
            chat.to = chat.jid


def new_thread() -> str:
    return secrets.token_urlsafe(12)


def _id(message: Message) -> str:
    """The id under which others know a message: of a correction that of what it corrects."""
    replace = read(message, Replace)
    id_ = replace.id if replace is not None else message.id
    if not id_:
        raise LocalProtocolError("a message without an id can't be referred to")
    return id_


def _reference(message: Message) -> str:
    """The id by which replies and reactions refer to a message: its origin id, if it has one (XEP-0444 §4.2)."""
    origin = read(message, OriginId)
    return _id(message) if origin is None or not origin.id or message.has(Replace) else origin.id
