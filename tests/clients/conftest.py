"""A server for each file of tests, and people whose program is slixmpp to talk with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from slixmpp import ClientXMPP
from tests.plugins.programs import ServerProcess

TIMEOUT = 20.0
ACCOUNTS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
PLUGINS = ("xep_0012", "xep_0030", "xep_0049", "xep_0054", "xep_0077", "xep_0092", "xep_0199", "xep_0202", "xep_0203")
EVENTS = (
    "session_start", "failed_auth", "disconnected", "ssl_invalid_chain", "stream_error", "message",
    "presence_available", "presence_away", "presence_unavailable", "presence_subscribe", "presence_subscribed",
)  # fmt: skip


class Person(ClientXMPP):
    """Somebody at a program, who decides about subscriptions, and can wait for what comes."""

    def __init__(self, name: str, password: str) -> None:
        super().__init__(f"{name}@localhost", password)
        self.auto_authorize = None  # nothing is decided for people
        self.auto_subscribe = False
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self._came: dict[str, asyncio.Queue[Any]] = {event: asyncio.Queue() for event in EVENTS}
        for event, queue in self._came.items():
            self.add_event_handler(event, queue.put_nowait)

    def listen(self, event: str) -> None:
        """Keep an event of another kind, too."""
        self._came[event] = asyncio.Queue()
        self.add_event_handler(event, self._came[event].put_nowait)

    def waiting(self, event: str) -> int:
        """How many of an event have come and weren't asked for."""
        return self._came[event].qsize()

    async def next(self, event: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next of an event that is wanted; those before it are dropped."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                what = await self._came[event].get()
                if wanted(what):
                    return what

    async def come_online(self) -> None:
        await self.next("session_start")
        await self.get_roster()
        self.send_presence()

    async def has_online(self, name: str) -> None:
        """Wait until the presence of somebody has come."""
        await self.next("presence_available", lambda presence: presence["from"].bare == f"{name}@localhost")

    def contact(self, name: str) -> Any:
        """An item of the roster."""
        return self.client_roster[f"{name}@localhost"]


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("clients")) as server:
        server.start()
        server.add_accounts(*ACCOUNTS)
        yield server
        assert server.stop() == 0, server.log
        assert server.complaints == []


@pytest.fixture
def server(_server: ServerProcess) -> Iterator[ServerProcess]:
    """A server as its default configuration has it, whose accounts have the password "secret".

    Nothing that people's programs do may be worth a warning in its log."""
    yield _server
    assert _server.complaints == []


@pytest.fixture
async def connect(server: ServerProcess) -> AsyncIterator[Callable[..., Person]]:
    """Makes people who connect over TLS; they trust the server's certificate, unless `trust` is another."""
    people: list[Person] = []

    def make(
        name: str, password: str = "secret", *, direct_tls: bool = False, trust: Any = None, port: int = 0
    ) -> Person:
        person = Person(name, password)
        people.append(person)
        person.enable_direct_tls = direct_tls
        person.enable_starttls = not direct_tls
        person.ca_certs = trust or server.certificate
        person.connect("127.0.0.1", port or (server.direct_tls_port if direct_tls else server.port))
        return person

    yield make
    for person in people:
        await person.disconnect()


@pytest.fixture
def online(connect: Callable[..., Person]) -> Callable[..., Awaitable[Person]]:
    """Makes people who are online; otherwise as `connect`."""

    async def make(name: str, **options: Any) -> Person:
        person = connect(name, **options)
        await person.come_online()
        return person

    return make


@pytest.fixture
def profanity(server: ServerProcess, terminal: Any) -> Callable[[str], Awaitable[Any]]:
    """Makes people who use profanity, which trusts the server's self-made certificate and nothing else."""

    async def log_in(name: str) -> Any:
        screen = terminal(name)
        await screen.run("profanity", env={"SSL_CERT_FILE": str(server.certificate)})
        await screen.shows("Type '/help'")
        await screen.type(f"/connect {name}@localhost server 127.0.0.1 port {server.port} tls force")
        await screen.shows("Enter password:")
        await screen.type("secret")
        await screen.shows(f"{name}@localhost/profanity", "logged in successfully, online (priority 0)", "[TLS]")
        return screen

    return log_in
