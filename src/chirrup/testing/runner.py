"""Running a scenario (see `chirrup.testing.scenario`) against a server."""

from __future__ import annotations

import tomllib
from typing import Any

from chirrup.core.errors import StreamError
from chirrup.core.xml import Element
from chirrup.testing.client import TestClient
from chirrup.testing.clock import FakeClock
from chirrup.testing.scenario import Memory, Scenario, Step, elements
from chirrup.testing.server import TestServer, serve


class Failure(AssertionError):
    """A step of a scenario didn't hold; the message names the line, what was wanted and what came."""


async def run(scenario: Scenario) -> None:
    """Start a server, make the accounts, and go through the steps. Raises Failure at the first that doesn't hold."""
    clock = FakeClock() if any(step.action == "time passes" for step in scenario.steps) else None
    async with serve(settings(scenario), clock=clock) as server:
        for jid in scenario.clients.values():
            if jid != "raw" and not server.server.hosts[_domain(jid)].anonymous:
                await server.add_account(jid)
        run = Run(scenario, server, clock)
        for step in scenario.steps:
            try:
                await run.step(step)
            except (TimeoutError, ConnectionError, StreamError) as error:
                raise Failure(f"line {step.line}: {step.client} {step.action}: {error or type(error).__name__}") from error


def settings(scenario: Scenario) -> dict[str, Any]:
    return tomllib.loads(scenario.server)


def _domain(jid: str) -> str:
    return jid.partition("/")[0].partition("@")[2] or jid


class Run:
    """The state of one scenario that is running."""

    def __init__(self, scenario: Scenario, server: TestServer, clock: FakeClock | None) -> None:
        self.scenario = scenario
        self.server = server
        self.clock = clock
        self.memory = Memory()
        self.clients: dict[str, TestClient] = {}

    async def step(self, step: Step) -> None:
        match step.action:
            case "time passes":
                assert self.clock is not None
                self.clock.advance(float(step.argument))
            case "connects":
                await self._connect(step)
            case "opens":
                self.clients[step.client] = await self.server.raw()
            case "sends":
                self.clients[step.client].send(self.memory.fill(step.text))
            case "receives" | "receives only":
                await self._receive(step, only=step.action == "receives only")
            case "receives in any order":
                await self._receive_any(step)
            case "receives nothing":
                await self._receive_nothing(step)
            case "is closed with":
                await self._closed(step)
            case "disconnects":
                await self.clients.pop(step.client).close()
            case "drops":
                self.clients.pop(step.client).drop()

    async def _connect(self, step: Step) -> None:
        jid = self.scenario.clients[step.client]
        if self.server.server.hosts[_domain(jid)].anonymous:
            client = await self.server.guest(_domain(jid))
        else:
            client = await self.server.client(jid)
        self.clients[step.client] = client
        self.memory.words[step.client] = client.jid.text

    async def _receive(self, step: Step, *, only: bool) -> None:
        client = self.clients[step.client]
        for wanted in elements(step.text):
            if wanted.name == "stream":
                got = await client.header()
            else:
                got = await client.receive()
            missing = self.memory.difference(wanted, got, only=only)
            if missing:
                raise Failure(f"line {step.line}: {step.client} received {got}\nwhere it should be {wanted}:\n{missing}")
            if (got.name, got.ns) == ("success", "urn:ietf:params:xml:ns:xmpp-sasl"):
                client.restart()

    async def _receive_any(self, step: Step) -> None:
        client = self.clients[step.client]
        wanted = elements(step.text)
        while wanted:
            got = await client.receive()
            reasons = []
            for candidate in wanted:
                reason = self.memory.difference(candidate, got)
                if not reason:
                    wanted.remove(candidate)
                    break
                reasons.append(reason)
            else:
                raise Failure(f"line {step.line}: {step.client} received {got}:\n" + "\n".join(reasons))

    async def _receive_nothing(self, step: Step) -> None:
        await self._settle_all()
        left: list[Element] = list(self.clients[step.client].received)
        if left:
            raise Failure(f"line {step.line}: {step.client} received {left[0]}")

    async def _settle_all(self) -> None:
        """Twice, since what one client's stanza brings about may make another receive something."""
        logged_in = [client for client in self.clients.values() if client.jid.local and client.error is None]
        for _ in range(2):
            for client in logged_in:
                await client.settle()

    async def _closed(self, step: Step) -> None:
        error = await self.clients[step.client].end()
        got = error.condition if error else "no error"
        if got != step.argument:
            raise Failure(f"line {step.line}: the stream of {step.client} was closed with {got}, not {step.argument}")
