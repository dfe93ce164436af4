"""Running a scenario (see `chirrup.testing.scenario`) against a server."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

from chirrup.core.errors import StreamError
from chirrup.core.xml import STREAMS, Element
from chirrup.testing.client import Refused, TestClient
from chirrup.testing.clock import FakeClock
from chirrup.testing.scenario import Memory, Scenario, Step, elements
from chirrup.testing.server import TestServer, serve

_CONTEXT = 3
"""Lines of the script that a report shows before and after the one that failed."""


class Failure(AssertionError):  # noqa: N818 - what pytest shows
    """A step of a scenario didn't hold; the message names the line, what was wanted and what came."""

    def __init__(self, step: Step, problem: str) -> None:
        super().__init__(f"line {step.line}: {problem}")
        self.line = step.line
        self.problem = problem

    def report(self, file: Path) -> str:
        """The step within its script, then what is wrong."""
        lines = file.read_text("utf-8").split("\n")
        first, last = max(self.line - _CONTEXT, 1), min(self.line + _CONTEXT, len(lines))
        shown = [f"{'>' if n == self.line else ' '}{n:4}  {lines[n - 1]}" for n in range(first, last + 1)]
        return "\n".join([lines[0].lstrip("# "), "", *shown, "", f"{file}:{self.line}: {self.problem}"])


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
            except (TimeoutError, ConnectionError, StreamError, Refused) as error:
                why = str(error) or type(error).__name__
                raise Failure(step, f"{step.client or 'the'} {step.action}: {why}") from error
        if run.end is not None:
            await run.end


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
        self.end: asyncio.Task[None] | None = None
        """The server's, which waits for its clients to take leave."""

    async def step(self, step: Step) -> None:
        match step.action:
            case "time passes":
                await self._pass_time(float(step.argument))
            case "server stops":
                self.end = asyncio.create_task(self.server.server.stop())
            case "connects":
                await self._connect(step)
            case "is refused with":
                await self._be_refused(step)
            case "opens" | "opens with TLS":
                self.clients[step.client] = await self.server.raw(direct_tls=step.action == "opens with TLS")
            case _:
                if step.client not in self.clients:
                    raise Failure(step, f"{step.client} isn't connected")
                await self._use(step, self.clients[step.client])

    async def _use(self, step: Step, client: TestClient) -> None:
        """A step of a client that is connected."""
        match step.action:
            case "sends":
                client.send(self.memory.fill(step.text))
            case "receives" | "receives only":
                await self._receive(step, client, only=step.action == "receives only")
            case "receives in any order":
                await self._receive_any(step, client)
            case "receives nothing":
                await self._receive_nothing(step, client)
            case "is closed" | "is closed with":
                await self._closed(step, client)
            case "starts TLS":
                await client.start_tls()
            case "disconnects":
                await client.close()
                del self.clients[step.client]
            case "drops":
                client.drop()
                del self.clients[step.client]

    async def _pass_time(self, seconds: float) -> None:
        """What was sent before is processed before."""
        assert self.clock is not None
        await self._settle_all()
        self.clock.advance(seconds)

    async def _connect(self, step: Step) -> None:
        jid = self.scenario.clients[step.client]
        if self.server.server.hosts[_domain(jid)].anonymous:
            client = await self.server.guest(_domain(jid))
        else:
            client = await self.server.client(jid)
        self.clients[step.client] = client
        self.memory.words[step.client] = client.jid.text

    async def _be_refused(self, step: Step) -> None:
        try:
            await self._connect(step)
        except Refused as refused:
            if str(refused) != step.argument:
                raise Failure(step, f"{step.client} was refused with {refused}, not {step.argument}") from None
        else:
            raise Failure(step, f"{step.client} was let in")

    async def _receive(self, step: Step, client: TestClient, *, only: bool) -> None:
        for wanted in elements(step.text):
            got = await self._next(client, wanted)
            missing = self.memory.difference(wanted, got, only=only)
            if missing:
                raise Failure(step, f"{step.client} received {got}\nwhere it should be {wanted}:\n{missing}")
            if (got.name, got.ns) == ("success", "urn:ietf:params:xml:ns:xmpp-sasl"):
                client.restart()

    async def _next(self, client: TestClient, wanted: Element) -> Element:
        if wanted.ns == STREAMS and wanted.name == "stream":
            return await client.header()
        if wanted.ns == STREAMS and wanted.name == "error":
            return await client.receive_any()
        return await client.receive()

    async def _receive_any(self, step: Step, client: TestClient) -> None:
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
                raise Failure(step, f"{step.client} received {got}:\n" + "\n".join(reasons))

    async def _receive_nothing(self, step: Step, client: TestClient) -> None:
        await self._settle_all()
        if client.received:
            raise Failure(step, f"{step.client} received {client.received[0]}")

    async def _settle_all(self) -> None:
        """Twice, since what one client's stanza brings about may make another receive something."""
        logged_in = [client for client in self.clients.values() if client.jid.local and not client.ended]
        for _ in range(2):
            for client in logged_in:
                await client.settle()

    async def _closed(self, step: Step, client: TestClient) -> None:
        error = await client.end()
        got = error.condition if error else ""
        if got != step.argument:
            raise Failure(
                step, f"the stream was closed with {error or 'no error'}, not with {step.argument or 'no error'}"
            )
        if not client.parser.ended:
            raise Failure(step, "the connection was closed, but not the stream")
