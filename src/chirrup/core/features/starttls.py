"""STARTTLS (RFC 6120 §5): the peers agree that TLS begins at the next octet, and start over inside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.features import ClientFeature, ClientSide, Event, ServerFeature, ServerSide
from chirrup.core.record import record
from chirrup.core.states import Outcome
from chirrup.core.xml import Element

NS: Final = "urn:ietf:params:xml:ns:xmpp-tls"


@record
class StartTLS(Event):
    """Send what `take()` has, do the TLS handshake, then call `secured()`."""


class ServerStartTLS(ServerFeature):
    takes = frozenset({("starttls", NS)})

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        policy = stream.policy
        if policy.tls and stream.security is None and stream.identity is None:
            yield Element("starttls", NS, Element("required") if policy.tls_required else None)

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        """§5.4.2.2: what wasn't offered, or has anything in it, is answered by `<failure/>` and the end."""
        if not any(self.offer(stream)) or element.first is not None:
            stream.write(Element("failure", NS))
            return Outcome.END
        _check_silence(stream)
        stream.write(Element("proceed", NS))
        stream.emit(StartTLS())
        return Outcome.SECURE


class ClientStartTLS(ClientFeature):
    offers = frozenset({("starttls", NS)})
    takes = frozenset({("proceed", NS), ("failure", NS)})

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        """A server that offers no TLS where it is required may be a man in the middle: nothing more is said to it."""
        if stream.security is not None or stream.identity is not None:
            return None
        if features.child("starttls", NS) is not None:
            stream.write(Element("starttls", NS))
            return Outcome.TURN
        if stream.policy.tls_required:
            raise StreamError("policy-violation", "TLS is required and the server doesn't offer it")
        return None

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        if element.name == "failure":
            raise StreamError("undefined-condition", "the server refuses to begin TLS")
        _check_silence(stream)
        stream.emit(StartTLS())
        return Outcome.SECURE


def _check_silence(stream: ServerSide | ClientSide) -> None:
    """Whoever can put plain text before the handshake would have it read as if it had come from inside TLS."""
    if stream.leftover.strip():
        raise StreamError("policy-violation", "nothing may come between STARTTLS and the handshake")
