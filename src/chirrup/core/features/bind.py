"""Resource binding (RFC 6120 §7): which of its account's resources a client is, and so its full JID."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.errors import AddressError, LocalProtocolError, StanzaError, StreamError
from chirrup.core.features import ClientFeature, ClientSide, Event, ServerFeature, ServerSide
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.stanza import error_reply, read_error, result
from chirrup.core.states import Outcome
from chirrup.core.xml import CLIENT, Element

NS: Final = "urn:ietf:params:xml:ns:xmpp-bind"


@record
class BindRequest(Event):
    """Answer by `bound(jid)` or `refuse(error)`. What becomes of another session with that resource is the program's
    affair (§7.7.2.2)."""

    resource: str | None
    """What the client asks for, prepared; None to have one made, which must be random (§7.6)."""


@record
class Bound(Event):
    """The server has said which full JID the client has."""

    jid: JID
    inline: tuple[Element, ...] = ()
    """What the server said of that which was to be switched on at once (XEP-0386); archive metadata, too."""
    switched_on: frozenset[str] = frozenset()
    """The namespaces of what was asked for in this way, and that the server knows."""


@record
class BindRefused(Event):
    """The server refused the resource. Ask for another by `bind()`, or close."""

    error: StanzaError


class ServerBind(ServerFeature):
    takes = frozenset({("iq:bind", NS)})

    def __init__(self) -> None:
        self._refusals = 0
        self._iq = Element("iq", CLIENT)

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        if stream.identity is not None and not stream.jid:
            yield Element("bind", NS)

    def needed(self, stream: ServerSide) -> bool:
        return not stream.jid

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        self._iq = element
        try:
            resource = self._requested(stream, element)
        except StanzaError as error:
            return self._refuse(stream, error)
        stream.emit(BindRequest(resource))
        return Outcome.ASK

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        if isinstance(answer, StanzaError):
            return self._refuse(stream, answer)
        if not isinstance(answer, JID) or not answer.is_full:
            raise LocalProtocolError("a request to bind is answered by a full JID or a StanzaError")
        stream.jid = answer.text
        stream.write(result(self._iq, Element("bind", NS, Element("jid", "", answer.text))))
        return Outcome.DONE

    def _requested(self, stream: ServerSide, iq: Element) -> str | None:
        """The resource that the client wants. StanzaError for what can be asked better, StreamError for what must
        not be asked (§7.1: before authentication, or of anybody else)."""
        if stream.identity is None or iq.get("type") not in ("get", "set"):
            raise StreamError("not-authorized", "a resource is bound after authentication")
        account = stream.identity.account or JID(stream.policy.domain)
        if iq.get("to") not in ("", stream.policy.domain, account.text):
            raise StreamError("not-authorized", "no stanza goes anywhere before a resource is bound")
        if iq.get("type") != "set" or not iq.get("id") or sum(1 for _ in iq.elements()) != 1:
            raise StanzaError("bad-request", "to bind takes an IQ of type 'set' with an id and <bind/> alone in it")
        bind = iq.child("bind", NS)
        resource = "" if bind is None else bind.child_text("resource")
        if not resource:
            return None
        try:
            return account.with_resource(resource).resource
        except AddressError as error:
            raise StanzaError("bad-request", str(error)) from None

    def _refuse(self, stream: ServerSide, error: StanzaError) -> Outcome:
        """§7.7.3: so many retries, then the end."""
        self._refusals += 1
        stream.write(error_reply(self._iq, error))
        if self._refusals > stream.policy.bind_retries:
            raise StreamError("policy-violation", "too many failed attempts to bind a resource")
        return Outcome.AGAIN


class ClientBind(ClientFeature):
    offers = frozenset({("bind", NS)})

    def __init__(self) -> None:
        self._id = ""

    def claims(self, stream: ClientSide, element: Element) -> bool:
        """Any IQ: before there is a JID nobody but the server can have sent it, as an answer."""
        return element.name == "iq" and element.ns == CLIENT

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.identity is None or stream.jid:
            return None
        if features.child("bind", NS) is None:
            raise StreamError("unsupported-feature", "the server doesn't offer to bind a resource")
        return self._ask(stream, stream.policy.resource)

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        kind = element.get("type")
        if element.get("id") != self._id or kind not in ("result", "error"):
            raise StreamError("policy-violation", "that is not the answer to the request to bind a resource")
        if kind == "error":
            stream.emit(BindRefused(read_error(element)))
            return Outcome.ASK
        bind = element.child("bind", NS)
        try:
            jid = JID("" if bind is None else bind.child_text("jid").strip())
        except AddressError as error:
            raise StreamError("improper-addressing", f"the server bound no JID: {error}") from None
        if not jid.is_full:
            raise StreamError("improper-addressing", "the server bound a JID without a resource")
        stream.jid = jid.text
        stream.emit(Bound(jid))
        return Outcome.NEXT

    def answer(self, stream: ClientSide, answer: object) -> Outcome:
        if not isinstance(answer, str):
            raise LocalProtocolError("a refused resource is answered by another one")
        return self._ask(stream, answer)

    def _ask(self, stream: ClientSide, resource: str) -> Outcome:
        self._id = stream.make_id()
        bind = Element("bind", NS, Element("resource", "", resource) if resource else None)
        stream.write(Element("iq", CLIENT, bind, type="set", id=self._id))
        return Outcome.TURN
