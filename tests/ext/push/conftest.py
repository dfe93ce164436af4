"""A small push service, for a server that thinks it is elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.core.stanza import error_reply, result
from chirrup.core.xml import Element
from chirrup.ext.pubsub.payloads import PubSub
from chirrup.server.session import Origin
from chirrup.testing import TestServer


class PushService:
    """What is published there, and how it answers: at once with a result, or with `error`, or not if `silent`."""

    patient = False

    def __init__(self, jid: str = "push-5.client.example") -> None:
        self.jid = JID(jid)
        self.published: asyncio.Queue[Element] = asyncio.Queue()
        self.unanswered: list[Element] = []
        self.error: StanzaError | None = None
        self.silent = False
        self._server: TestServer | None = None

    def serve(self, server: TestServer) -> PushService:
        self._server = server
        server.server.router.add(self.jid.domain, self)
        return self

    def receive(self, stanza: Element, to: JID, sender: JID, origin: Origin) -> None:
        if stanza.get("type") != "set":
            return
        self.published.put_nowait(stanza)
        if self.silent:
            self.unanswered.append(stanza)
        else:
            self.answer(stanza)

    def answer(self, stanza: Element) -> None:
        self.send(result(stanza) if self.error is None else error_reply(stanza, self.error))

    def send(self, stanza: Element) -> None:
        assert self._server is not None
        self._server.server.router.route(stanza, JID(stanza.get("to")), self.jid, self)

    def hold(self, stored: asyncio.Future[object], stanza: Element) -> None:
        """It waits for nothing."""

    async def next(self) -> PubSub:
        """The next thing that is published."""
        async with asyncio.timeout(10):
            stanza = await self.published.get()
        assert stanza.get("from") == "localhost"
        assert stanza.first is not None
        return PubSub.parse(stanza.first)

    @property
    def count(self) -> int:
        """How many notifications nobody has looked at."""
        return self.published.qsize()


@pytest.fixture
def service() -> PushService:
    return PushService()


@pytest.fixture
def another_service() -> PushService:
    return PushService("push.other.example")
