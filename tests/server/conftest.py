"""Servers with bystanders, modules of the moment, and people who are still at it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.plugins import on_postgres

from chirrup.core.features import ClientFeature, ClientSide
from chirrup.core.states import Outcome
from chirrup.core.stream import CLIENT_FEATURES, ClientPolicy, Credentials
from chirrup.core.xml import Element
from chirrup.server.session import Session
from chirrup.store.schema import metadata
from chirrup.testing import PASSWORD, TestClient, TestServer

SM = "urn:xmpp:sm:3"

HEADER = (
    "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)


class Bystanders:
    """Two people of a server who chat, whatever others do."""

    def __init__(self, server: TestServer, alice: TestClient, bob: TestClient) -> None:
        self.server = server
        self.alice = alice
        self.bob = bob
        self._count = 0

    async def outlast(self, task: asyncio.Task[Any]) -> None:
        """Chat for a while, during which `task` must not come to its end."""
        for _ in range(3):
            await self.chat()
            assert not task.done()

    async def chat(self) -> None:
        """One message each way, on the streams that they have had from the start."""
        self._count += 1
        for sender, receiver in ((self.alice, self.bob), (self.bob, self.alice)):
            text = f"{self._count} from {sender.jid.local}"
            sender.send(f"<message to='{receiver.jid}' type='chat'><body>{text}</body></message>")
            assert (await receiver.receive()).child_text("body") == text


@pytest.fixture
def bystanders(
    chirrup_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> Callable[..., AsyncIterator[Bystanders]]:
    """`async with bystanders(settings, clock=…) as they:` is a server with two who chat; at the end they still do, and
    the server has logged no error but where `errors` are expected."""

    @asynccontextmanager
    async def make(
        settings: dict[str, Any] | None = None, *, errors: bool = False, **options: Any
    ) -> AsyncIterator[Bystanders]:
        async with chirrup_server(settings, **options) as server:
            they = Bystanders(server, await server.client("alice"), await server.client("bob"))
            await they.chat()
            yield they
            await they.chat()
        logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert bool(logged) == errors, logged

    return make


@pytest.fixture
def open_stream() -> Callable[..., Any]:
    """`await open_stream(server)`: a raw connection whose stream is open and whose features have come."""

    async def open_stream(server: TestServer, *, direct_tls: bool = False, domain: str = "") -> TestClient:
        client = await server.raw(direct_tls=direct_tls)
        client.send(HEADER.format(domain=domain or server.domain))
        await client.header()
        assert (await client.receive()).name == "features"
        return client

    return open_stream


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """`module(code)` writes a module for the server and returns the settings that switch it on for localhost."""

    def write(code: str) -> dict[str, Any]:
        folder = tmp_path / "modules"
        folder.mkdir(exist_ok=True)
        (folder / "under_test.py").write_text(code)
        return {"modules_folder": str(folder), "hosts": {"localhost": {"modules_enabled": ["under_test"]}}}

    return write


class Back(ClientFeature):
    """Asks for a former session by what it is told, whatever that is, and binds a resource where that fails."""

    takes = frozenset({("resumed", SM), ("failed", SM)})

    def __init__(self, previd: str, h: object, jid: str) -> None:
        self.previd, self.h, self.jid = previd, h, jid
        self.answer = Element("nothing")

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if features.child("sm", SM) is None:
            return None
        stream.write(Element("resume", SM, previd=self.previd, h=self.h))
        return Outcome.TURN

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        self.answer = element
        if element.name == "failed":
            return Outcome.NEXT
        stream.jid = self.jid
        return Outcome.DONE


class Managers:
    """Clients of a server with stream management, which count nothing themselves."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self._other: TestClient | None = None

    async def client(self, jid: str, *, presence: bool = True, **attributes: object) -> tuple[TestClient, Element]:
        """One that has it switched on, and the server's answer to that; resumable unless `attributes` say otherwise."""
        client = await self.server.client(jid)
        client.send(Element("enable", SM, **{"resume": "1", **attributes}))
        enabled = await client.receive()
        if presence:
            client.send("<presence/>")
            assert (await client.receive()).name == "presence"
        return client, enabled

    async def back(self, jid: str, previd: str, h: object, *, password: str = PASSWORD) -> tuple[TestClient, Element]:
        """One that comes back, and the server's answer."""
        local = jid.partition("@")[0].partition("/")[0]
        client = await self.server.raw()
        back = Back(previd, h, f"{local}@localhost/{jid.partition('/')[2]}")
        policy = ClientPolicy(Credentials(local, password), tls_required=False, sasl2=False)
        await client.log_in(policy, "localhost", [*CLIENT_FEATURES[:4], lambda: back, *CLIENT_FEATURES[4:]])
        return client, back.answer

    def session(self, jid: str) -> Session | None:
        local, _, resource = jid.partition("/")
        account = self.server.server.hosts["localhost"].accounts.get(local)
        return account.sessions.get(resource) if account else None

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the server work until that is so."""
        self._other = self._other or await self.server.client("bystander")
        async with asyncio.timeout(10):
            while not condition():
                await self._other.settle()

    async def copies(self, client: TestClient) -> None:
        """Let somebody have copies of what others are sent (XEP-0280)."""
        client.send("<iq type='set' id='copies'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
        while (await client.receive()).get("id") != "copies":
            pass

    async def acknowledge_all(self, client: TestClient) -> None:
        """Let somebody acknowledge all that was written until now."""
        session = self.session(f"{client.jid.local}/{client.jid.resource}")
        assert session is not None and session.management is not None
        client.send(Element("a", SM, h=session.management.sent))
        await self.until(lambda: not session.management.queue)

    async def cut(self, client: TestClient) -> Session:
        """Cut a connection; the session that is left, once the server knows."""
        session = self.session(f"{client.jid.local}/{client.jid.resource}")
        assert session is not None
        client.drop()
        await self.until(lambda: session.detached)
        return session

    async def stop(self, *clients: TestClient) -> None:
        """Stop the server, whose clients take their leave: all that are connected have to be named."""
        others = [self._other] if self._other else []
        await asyncio.gather(self.server.server.stop(), *(client.end() for client in [*clients, *others]))


@pytest.fixture
def managers(chirrup_server: Callable[..., Any]) -> Callable[..., Any]:
    """`async with managers(settings, clock=…) as they:` is a server whose clients have stream management."""

    @asynccontextmanager
    async def make(settings: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Managers]:
        async with chirrup_server(settings, **options) as server:
            yield Managers(server)

    return make


def _locked(data: Path) -> sqlite3.Connection:
    other = sqlite3.connect(data / "chirrup.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    return other


def _locked_on_postgres(data: Path) -> psycopg.Connection[Any]:
    assert on_postgres.databases is not None
    other = psycopg.connect(on_postgres.databases.url(data))
    other.execute(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE")
    return other


@pytest.fixture
def storage_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`async with storage_fails(server) as end:`, until `end()`: another program has the database locked."""
    monkeypatch.setattr("chirrup.store.thread.RETRY", 0.02)
    monkeypatch.setattr("chirrup.store.sqlite.SERVER_PATIENCE", 0.01)
    monkeypatch.setattr("chirrup.store.postgresql.LOCK_PATIENCE", 0.01)

    @asynccontextmanager
    async def fail(server: TestServer) -> AsyncIterator[Callable[[], None]]:
        await server.server.store.settled()
        data = server.server.config.data
        with closing(_locked_on_postgres(data) if on_postgres.databases is not None else _locked(data)) as other:
            yield other.rollback
            other.rollback()

    return fail
