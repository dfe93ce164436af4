"""Session establishment (RFC 3921 §3), which RFC 6120 did away with and old clients still ask for.

It is advertised as optional. The request comes when the stream is negotiated, as an IQ to the server like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.features import ClientFeature, ClientSide, ServerFeature, ServerSide
from chirrup.core.states import Outcome
from chirrup.core.xml import CLIENT, Element

NS: Final = "urn:ietf:params:xml:ns:xmpp-session"


class ServerSession(ServerFeature):
    def offer(self, stream: ServerSide) -> Iterable[Element]:
        if stream.identity is not None and not stream.jid:
            yield Element("session", NS, Element("optional"))


class ClientSession(ClientFeature):
    """Asks only a server that doesn't call it optional."""

    offers = frozenset({("session", NS)})

    def __init__(self) -> None:
        self._id = ""

    def claims(self, stream: ClientSide, element: Element) -> bool:
        return element.name == "iq" and element.ns == CLIENT and element.get("id") == self._id

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        session = features.child("session", NS)
        if not stream.jid or session is None or session.child("optional") is not None:
            return None
        self._id = stream.make_id()
        stream.write(Element("iq", CLIENT, Element("session", NS), type="set", id=self._id))
        return Outcome.TURN

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        if element.get("type") != "result":
            raise StreamError("undefined-condition", "the server refuses the session that it asks for")
        return Outcome.NEXT
