"""A stream of somebody who has no account yet: it goes as far as the question for credentials."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chirrup.client.client import Client
from chirrup.client.link import Link
from chirrup.client.negotiation import Negotiated, Negotiation
from chirrup.core.errors import NetworkError, PayloadError
from chirrup.core.features.early import EarlyIQ
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.stanza import read_error
from chirrup.core.stream import ClientStream, Event, NeedCredentials
from chirrup.core.xml import CLIENT, Element
from chirrup.net.deadline import Deadline


class Asking(Negotiation):
    """Asks the server something where it would be given credentials."""

    answer: Element | None = None

    async def run(self) -> Negotiated:
        try:
            self._stream.open()
            self._link.write(self._stream.take())
            while not self._done:
                await self._take_step()
                if self._tls_is_next:
                    await self._start_tls()
            if self._stream.security is None:
                raise NetworkError(f"{self._link.where} offers no TLS: a password isn't told there")
        except BaseException:
            self._link.close()
            raise
        return Negotiated(self._link, self._stream.parser, b"", JID(self._stream.domain), self._features)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, NeedCredentials):
                self._done = True
            elif isinstance(event, EarlyIQ):
                self.answer = event.iq
        super()._handle(events)

    @property
    def features(self) -> Element:
        """What the server offers to those who haven't logged in."""
        return self._features

    async def ask(self, payload: Payload, kind: str) -> Element | None:
        """The answer's payload. Raises StanzaError, DeadlineError and what ends streams."""
        self.answer = None
        element = payload.to_element()
        iq = Element("iq", CLIENT, element, type=kind, id=f"register-{kind}", to=self._stream.domain)
        self._stream.send(iq)
        self._link.write(self._stream.take())
        async with Deadline(self._clock, self._seconds, f"waiting for the answer to <{element.name}/>"):
            while self.answer is None:
                self._handle(self._stream.receive(await self._link.read()))
        answer: Element = self.answer
        if answer.get("id") != iq.get("id"):
            raise PayloadError("the server answers something that it wasn't asked")
        if answer.get("type") == "error":
            raise read_error(answer)
        return answer.first

    def leave(self) -> None:
        self._farewell()
        self._link.close()


class Newcomer(Client):
    """A client without an account."""

    asking: Asking

    def __init__(self, domain: JID | str, **options: Any) -> None:
        super().__init__(domain, **{**options, "reconnect": False, "default_features": False, "require_tls": True})
        self._policy = replace(self._policy, credentials=None)

    def _negotiation(self, link: Link, stream: ClientStream) -> Negotiation:
        self.asking = Asking(
            link, stream, account="", trust=self._trust, clock=self.clock, seconds=self.timeout, tell=lambda event: None
        )
        return self.asking
