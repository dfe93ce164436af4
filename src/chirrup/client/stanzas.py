"""`Message`, `Presence` and `IQ`: typed views of a stanza's element, which is always at hand as `element`.

A view holds the element and reads from it when asked; what came from a peer is not checked before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self, TypeVar, cast

from chirrup.core.errors import AddressError, LocalProtocolError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import MESSAGE_TYPES, read_error
from chirrup.core.xml import CLIENT, XML_LANG, Element

if TYPE_CHECKING:
    from chirrup.client.entity import Entity

P = TypeVar("P", bound=Payload)

MessageType = Literal["chat", "error", "groupchat", "headline", "normal"]
PresenceType = Literal[
    "available", "error", "probe", "subscribe", "subscribed", "unavailable", "unsubscribe", "unsubscribed"
]
Show = Literal["", "away", "chat", "dnd", "xa"]

_SHOWS: Final = frozenset({"away", "chat", "dnd", "xa"})


class Stanza:
    """What the three kinds share."""

    __slots__ = ("element", "entity", "sender")

    element: Element
    """The stanza as XML: everything that no property names is in here."""
    entity: Entity
    """The client or component that received it. Not there on what the program made."""
    sender: JID
    """Who sent it; on what came without an address the own account. Not there on what the program made."""

    @classmethod
    def received(cls, element: Element, sender: JID, entity: Entity) -> Self:
        """The view of a stanza that came."""
        view = cls.__new__(cls)
        view.element, view.sender, view.entity = element, sender, entity
        return view

    @property
    def id(self) -> str:
        return self.element.attrs.get("id", "")

    @property
    def to(self) -> JID | None:
        """The addressee; None for what is for the own account or server. Raises AddressError for what is no JID."""
        text = self.element.attrs.get("to")
        return JID.parse(text) if text else None

    @property
    def lang(self) -> str:
        """The language of its texts, as far as it says."""
        return self.element.lang

    @property
    def error(self) -> StanzaError | None:
        """What went wrong, in a stanza of type "error"."""
        return read_error(self.element) if self.element.attrs.get("type") == "error" else None

    def get(self, payload: type[P]) -> P | None:
        """The first payload of that class. Raises PayloadError where it is malformed."""
        return payload.find(self.element)

    def has(self, payload: type[Payload]) -> bool:
        """Whether there is an element of that class's name, be it malformed."""
        return self.element.child(payload.NAME, payload.NS) is not None

    def add(self, *payloads: Payload | Element | None) -> Self:
        """Put payloads in, and return the stanza."""
        for payload in payloads:
            if payload is not None:
                self.element.append(payload.to_element() if isinstance(payload, Payload) else payload)
        return self

    def speaking_as(self, sender: JID | str | None) -> Self:
        """Say that the stanza is from there: one of a component's addresses. Gives the stanza."""
        if sender is not None:
            self.element.attrs["from"] = str(sender)
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.element!r}>"


def make(kind: str, to: JID | str | None, type_: str | None, id_: str | None) -> Element:
    """An element with these attributes; the address is checked here."""
    element = Element(kind, CLIENT)
    attrs = element.attrs
    if to is not None:
        attrs["to"] = to.text if isinstance(to, JID) else JID.parse(to).text
    if type_ is not None:
        attrs["type"] = type_
    if id_ is not None:
        attrs["id"] = id_
    return element


def _leaf(name: str, text: str) -> Element:
    element = Element(name, CLIENT)
    if text:
        element.children.append(text)
    return element


class Message(Stanza):
    """A message (RFC 6121 §5).

    Message("juliet@example.org", "Good night!")
    """

    __slots__ = ("copied", "outgoing")

    outgoing: bool
    """Whether the own account sent it: what another of its clients sent, or what the archive has of that."""
    copied: bool
    """Whether it is the copy of one that another client of the account has sent or was given (XEP-0280). A program
    doesn't answer that of its own accord (§10.4 there)."""

    def __init__(
        self,
        to: JID | str | None,
        body: str | None = None,
        *payloads: Payload | Element | None,
        type: MessageType = "chat",  # noqa: A002 - the attribute's own name in RFC 6120
        subject: str | None = None,
        thread: str | None = None,
        id: str | None = None,  # noqa: A002
        lang: str | None = None,
    ) -> None:
        """Raises AddressError if `to` is no JID. Without an id it gets one when it is sent."""
        self.outgoing, self.copied = True, False
        self.element = element = make("message", to, None if type == "normal" else type, id)
        if lang:
            element.attrs[XML_LANG] = lang
        if subject is not None:
            element.children.append(_leaf("subject", subject))
        if body is not None:
            element.children.append(_leaf("body", body))
        if thread is not None:
            element.children.append(_leaf("thread", thread))
        if payloads:
            self.add(*payloads)

    @classmethod
    def received(cls, element: Element, sender: JID, entity: Entity) -> Self:
        view = cls.__new__(cls)
        view.element, view.sender, view.entity = element, sender, entity
        view.outgoing = view.copied = False
        return view

    @property
    def type(self) -> MessageType:
        """What has no type, or an unknown one, is "normal" (RFC 6121 §5.2.2)."""
        kind = self.element.attrs.get("type")
        return cast("MessageType", kind) if kind in MESSAGE_TYPES else "normal"

    @property
    def body(self) -> str:
        """The text, "" where there is none; of several languages the first."""
        return self.element.child_text("body", CLIENT)

    @property
    def bodies(self) -> dict[str, str]:
        """All texts by language; "" is that of the stanza itself."""
        return {body.lang: body.text for body in self.element.elements("body", CLIENT)}

    @property
    def subject(self) -> str | None:
        """None where there is no subject, which isn't the same as an empty one (RFC 6121 §5.2.4)."""
        found = self.element.child("subject", CLIENT)
        return None if found is None else found.text

    @property
    def thread(self) -> str:
        return self.element.child_text("thread", CLIENT)

    async def reply(self, body: str | None = None, *payloads: Payload | Element | None) -> Message:
        """Answer where the message came from, a room's occupant in the room, in the same thread. Gives what was sent;
        raises what `Entity.send` raises."""
        answer = self.make_reply(body, *payloads)
        await self.entity.send(answer)
        return answer

    def make_reply(self, body: str | None = None, *payloads: Payload | Element | None) -> Message:
        """The answer, not sent yet."""
        kind = self.type
        if kind == "error":
            raise LocalProtocolError("an error isn't answered (RFC 6120 §8.3.1)")
        to = self.sender.bare if kind == "groupchat" else self.sender
        if self.outgoing and kind != "groupchat":
            to = self.to or to
        answer_kind: MessageType = "chat" if kind == "headline" else kind
        answer = Message(to, body, *payloads, type=answer_kind, thread=self.thread or None)
        return answer.speaking_as(self.entity.reply_from(self))


class Presence(Stanza):
    """Presence (RFC 6121 §4), or a stanza of the subscription handshake (§3).

    Presence(show="away", status="lunch")
    """

    __slots__ = ()

    def __init__(
        self,
        to: JID | str | None = None,
        *payloads: Payload | Element | None,
        type: PresenceType = "available",  # noqa: A002
        show: Show = "",
        status: str = "",
        priority: int = 0,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """Raises AddressError if `to` is no JID, ValueError for a priority that isn't from -128 to 127."""
        if not -128 <= priority <= 127:
            raise ValueError(f"{priority} is no priority: those are from -128 to 127 (RFC 6121 §4.7.2.3)")
        self.element = element = make("presence", to, None if type == "available" else type, id)
        if show:
            element.c("show", text=show)
        if status:
            element.c("status", text=status)
        if priority:
            element.c("priority", text=str(priority))
        self.add(*payloads)

    @property
    def type(self) -> PresenceType:
        return cast("PresenceType", self.element.attrs.get("type", "available"))

    @property
    def available(self) -> bool:
        return "type" not in self.element.attrs

    @property
    def show(self) -> Show:
        """ "" for simply available; what RFC 6121 §4.7.2.1 doesn't know counts as that."""
        found = self.element.child_text("show", CLIENT).strip()
        return cast("Show", found) if found in _SHOWS else ""

    @property
    def status(self) -> str:
        return self.element.child_text("status", CLIENT)

    @property
    def priority(self) -> int:
        text = self.element.child_text("priority", CLIENT).strip()
        number = int(text) if text.lstrip("+-").isdecimal() and text.isascii() and len(text) < 5 else 0
        return max(-128, min(127, number))


class IQ(Stanza):
    """A request or an answer (RFC 6120 §8.2.3). Programs ask with `Entity.request` and answer with handlers; this is
    what there is to look at."""

    __slots__ = ()

    @property
    def type(self) -> str:
        return self.element.attrs.get("type", "")

    @property
    def payload(self) -> Element | None:
        return self.element.first


def address(text: str) -> JID | None:
    """The JID that a stanza's attribute is; None for what is none."""
    try:
        return JID.parse(text)
    except AddressError:
        return None
