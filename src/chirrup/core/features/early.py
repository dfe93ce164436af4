"""IQs before authentication: what a host says it takes of them, above all in-band registration (XEP-0077)."""

from __future__ import annotations

from chirrup.core.errors import LocalProtocolError, StanzaError
from chirrup.core.features import Event, ServerFeature, ServerSide
from chirrup.core.record import record
from chirrup.core.stanza import error_reply
from chirrup.core.states import Outcome
from chirrup.core.xml import CLIENT, Element


@record
class EarlyIQ(Event):
    """To a server: an IQ of a kind that its host takes before authentication; answer by `send(iq)` or
    `refuse(error)`. To a client: the answer to such an IQ."""

    iq: Element


class ServerEarlyIQ(ServerFeature):
    """Advertised by the host's own `features_before`."""

    def __init__(self) -> None:
        self._iq = Element("iq", CLIENT)

    def claims(self, stream: ServerSide, element: Element) -> bool:
        payload = element.first
        return (
            element.name == "iq"
            and element.ns == CLIENT
            and element.get("type") in ("get", "set")
            and element.get("to") in ("", stream.policy.domain)
            and payload is not None
            and payload.ns in stream.policy.early_iqs
            and stream.may_authenticate
        )

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        self._iq = element
        if not element.get("id") or sum(1 for _ in element.elements()) != 1:
            stream.write(error_reply(element, StanzaError("bad-request", "an IQ has an id and one payload")))
            return Outcome.AGAIN
        stream.emit(EarlyIQ(element))
        return Outcome.ASK

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        if isinstance(answer, StanzaError):
            answer = error_reply(self._iq, answer)
        if not isinstance(answer, Element):
            raise LocalProtocolError("an IQ is answered by an IQ or a StanzaError")
        stream.write(answer)
        return Outcome.AGAIN
