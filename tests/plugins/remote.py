"""Another server, as the router of ours sees it: a destination that keeps what comes, and can send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestServer


class Remote:
    """The servers of other domains. `received` is what was routed there, `answered` what came back for what it sent."""

    patient = False

    def __init__(self, server: TestServer) -> None:
        self._router = server.server.router
        self.received: list[Element] = []
        self.answered: list[Element] = []
        self.stored: list[asyncio.Future[Any]] = []

    def receive(self, stanza: Element, to: JID, sender: JID, origin: object) -> None:
        self.received.append(stanza.copy())

    def answer(self, stanza: Element) -> None:
        self.answered.append(stanza)

    def hold(self, stored: asyncio.Future[Any], stanza: Element) -> None:
        self.stored.append(stored)

    async def send(self, text: str) -> None:
        """Send a stanza, and wait until it has been processed and what it brought about is stored."""
        element = parse_element(text.replace(" ", f" xmlns='{CLIENT}' ", 1))
        sender, to = JID(element.get("from")), JID(element.get("to"))
        waiting: Awaitable[None] | None = self._router.route(element, to, sender, self)
        if waiting is not None:
            await waiting
        await asyncio.gather(*self.stored)

    def take(self) -> list[tuple[str, str, str]]:
        """Type, sender and addressee of what was received since, and forget it."""
        taken = [(one.get("type"), one.get("from"), one.get("to")) for one in self.received]
        self.received.clear()
        return taken


@pytest.fixture
def remote() -> Callable[..., Remote]:
    """Puts another server beside ours: `remote(server, "example.net")`."""

    def add(server: TestServer, *domains: str) -> Remote:
        made = Remote(server)
        for domain in domains:
            server.server.router.add(domain, made)
        return made

    return add
