"""The receiving entity's half of stream management before there is a session: the offer, and `<resume/>`."""

from __future__ import annotations

from collections.abc import Iterable

from chirrup.core.errors import LocalProtocolError, PayloadError, StanzaError
from chirrup.core.features import Event, ServerFeature, ServerSide
from chirrup.core.features.resume.elements import LARGEST, NS, Resume, Resumed, failed, feature
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.states import Outcome
from chirrup.core.xml import Element


@record
class ResumeRequest(Event):
    """A client wants to go on with a former session. Answer by `resumed(jid, handled)`, and once the stream is ready
    send it again what it lacks; or by `not_resumed(error, handled)`, after which it may bind a resource."""

    previd: str
    """What the former session was given as its id; not to be trusted."""
    h: int
    """How many stanzas the client says that it got there."""


@record
class Resumption:
    """The answer that a session goes on: its full JID, and how many of the client's stanzas it has handled."""

    jid: JID
    handled: int


@record
class Refusal:
    """The answer that there is nothing to go on with; with a count, that there was."""

    error: StanzaError
    handled: int | None = None


class ServerResume(ServerFeature):
    """Everything else of stream management comes after binding, and too early is refused (§3)."""

    takes = frozenset((name, NS) for name in ("resume", "enable", "r", "a"))

    def __init__(self) -> None:
        self._previd = ""

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        if stream.identity is not None and not stream.jid:
            yield feature()

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        if element.name != "resume" or stream.identity is None:
            return self._refuse(stream, Refusal(StanzaError("unexpected-request")))
        try:
            wanted = Resume.parse(element)
        except PayloadError as error:
            return self._refuse(stream, Refusal(StanzaError("bad-request", str(error))))
        self._previd = wanted.previd
        stream.emit(ResumeRequest(wanted.previd, wanted.h))
        return Outcome.ASK

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        if isinstance(answer, Refusal):
            return self._refuse(stream, answer)
        if not isinstance(answer, Resumption) or not answer.jid.is_full:
            raise LocalProtocolError("a request to resume is answered by a full JID and a count, or a refusal")
        stream.jid = answer.jid.text
        stream.write(resumed(self._previd, answer.handled))
        return Outcome.DONE

    def _refuse(self, stream: ServerSide, refusal: Refusal) -> Outcome:
        stream.write(failed(refusal.error, refusal.handled))
        return Outcome.AGAIN


def resumed(previd: str, handled: int) -> Element:
    """`<resumed/>`, also inside SASL2's `<success/>`."""
    return Resumed(previd, handled & LARGEST).to_element()
