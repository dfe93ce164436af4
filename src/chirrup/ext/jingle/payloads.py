"""What is said in a session: in IQs of type "set" (XEP-0166 §7)."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias, TypeVar

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, child_text, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.jingle import NS

P = TypeVar("P", bound=Payload)

Action: TypeAlias = Literal[
    "content-accept", "content-add", "content-modify", "content-reject", "content-remove", "description-info",
    "security-info", "session-accept", "session-info", "session-initiate", "session-terminate", "transport-accept",
    "transport-info", "transport-reject", "transport-replace",
]  # fmt: skip
Role: TypeAlias = Literal["initiator", "responder"]
Senders: TypeAlias = Literal["both", "initiator", "none", "responder"]


@payload("content", NS)
class Content(Payload):
    """One thing that is exchanged: a description of what, a transport that says how, and maybe security."""

    creator: Role = attribute()
    name: str = attribute()
    senders: Senders = attribute(default="both")
    disposition: str = attribute(default="session")
    parts: tuple[Element, ...] = rest()

    @classmethod
    def of(cls, name: str, *parts: Payload, creator: Role = "initiator", senders: Senders = "both") -> Self:
        return cls(creator, name, senders, parts=tuple([part.to_element() for part in parts]))

    def get(self, kind: type[P]) -> P | None:
        """The description, transport or security of that class. Raises PayloadError for one that is malformed."""
        found = (one for one in self.parts if one.name == kind.NAME and one.ns == kind.NS)
        return next((kind.parse(one) for one in found), None)


@payload("alternative-session", NS)
class AlternativeSession(Payload):
    """Another session that is to be used."""

    sid: str | None = child_text("sid", default=None)


@payload("reason", NS)
class Reason(Payload):
    """Why something ends: `Reason.of("busy")`."""

    text: str | None = child_text("text", default=None)
    alternative: AlternativeSession | None = child(AlternativeSession, default=None)
    elements: tuple[Element, ...] = rest()

    @classmethod
    def of(cls, condition: str, text: str | None = None, *more: Element) -> Self:
        return cls(text, elements=(Element(condition, NS), *more))

    @property
    def condition(self) -> str:
        """As XEP-0166 §7.4 has them, such as "busy" or "success"; "" where none is said."""
        if self.alternative is not None:
            return "alternative-session"
        return next((one.name for one in self.elements if one.ns == NS), "")


@payload("jingle", NS)
class Jingle(Payload):
    """One step of a session."""

    action: Action = attribute()
    sid: str = attribute()
    initiator: JID | None = attribute(default=None)
    responder: JID | None = attribute(default=None)
    contents: tuple[Content, ...] = children(Content)
    reason: Reason | None = child(Reason, default=None)
    others: tuple[Element, ...] = rest()
    """In a "session-info", what there is to say."""
