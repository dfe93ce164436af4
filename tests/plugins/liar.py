"""A server that does what a script says: wrong, too late, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chirrup.client.client import Client
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import CLIENT, STREAMS, Element
from chirrup.testing.clock import FakeClock

TIMEOUT = 10.0
"""Seconds after which a script that waits for the client has failed."""
PATIENCE = 30.0
"""What the client is told to have."""

ANONYMOUS = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>ANONYMOUS</mechanism></mechanisms>"
BIND = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"


class WatchedClock(FakeClock):
    """A clock that tells when somebody begins to wait for a peer."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0
        """How often somebody has begun to."""
        self._begun = asyncio.Event()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Any:
        if delay == PATIENCE:
            self.waits += 1
            self._begun.set()
        return super().call_later(delay, callback)

    async def wait_begun(self, after: int) -> None:
        """Return when somebody has begun to wait since `waits` was that."""
        async with asyncio.timeout(TIMEOUT):
            while self.waits <= after:
                self._begun.clear()
                await self._begun.wait()


class Peer:
    """The liar's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, liar: Liar) -> None:
        self._reader, self._writer = reader, writer
        self.go = liar.go
        """Set by a test when its client is online."""
        clock = liar.clock
        self._elements: list[Element] = []
        self._parser = StreamParser(Limits())
        self.clock = clock
        self.domain = "localhost"
        """Who it says that it is."""
        self.heard = bytearray()
        """All that the client has sent."""

    def send(self, text: str | bytes) -> None:
        self._writer.write(text.encode() if isinstance(text, str) else text)

    async def drain(self) -> None:
        """Wait until the client takes more."""
        await self._writer.drain()

    async def read(self) -> Element:
        """The next first-level element. Raises EOFError at the end."""
        while not self._elements:
            await self._feed()
        return self._elements.pop(0)

    async def _feed(self) -> None:
        async with asyncio.timeout(TIMEOUT):
            data = await self._reader.read(65_536)
        if not data:
            raise EOFError
        self.heard += data
        self._elements += self._parser.feed(data)
        if self._parser.ended and not self._elements:
            raise EOFError

    async def end(self) -> None:
        """Wait for the client to leave, and part from it in order."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(TIMEOUT):
                while not self.heard.endswith(b"</stream:stream>") and (data := await self._reader.read(65_536)):
                    self.heard += data
            self.send("</stream:stream>")

    async def header(self) -> None:
        """Wait for the client's header, and answer it."""
        while self._parser.header is None:
            await self._feed()
        declared = f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'"
        self.send(f"<stream:stream {declared} from='{self.domain}' id='1' version='1.0'>")

    def features(self, *features: str) -> None:
        self.send(f"<stream:features>{''.join(features)}</stream:features>")

    def restart(self) -> None:
        self._parser = StreamParser(Limits())

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Up to the end of the handshake."""
        await self.header()
        self.features(STARTTLS)
        await self.read()
        self.send(PROCEED)
        self.restart()
        await self._writer.start_tls(context)

    async def authenticate(self) -> None:
        """Let anybody in."""
        await self.header()
        self.features(ANONYMOUS)
        await self.read()
        self.send(SUCCESS)
        self.restart()
        await self.header()

    async def log_in(self, *features: str) -> None:
        """Let anybody in, and bind guest@localhost/here. `features` are offered beside."""
        await self.authenticate()
        self.features(BIND, *features)
        iq = await self.read()
        self.send(
            f"<iq type='result' id='{iq.get('id')}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<jid>guest@localhost/here</jid></bind></iq>"
        )

    async def stall(self, last: str = "") -> None:
        """Send this, and nothing more: let the client's patience run out as soon as it waits."""
        before = self.clock.waits
        self.send(last)
        await self.clock.wait_begun(before)
        self.clock.advance(PATIENCE)
        await self.end()

    async def stall_now(self) -> None:
        """Let the client's patience run out; it waits already."""
        self.clock.advance(PATIENCE)
        await self.end()

    def drop(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Liar:
    """A server on a port of its own. Each connection runs the next of its scripts, and the last one again."""

    def __init__(self) -> None:
        self.clock = WatchedClock()
        self.go = asyncio.Event()
        self.scripts: list[Script] = []
        self.port = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None

    async def start(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=ssl_context)
        self.port = self._server.sockets[0].getsockname()[1]

    def client(self, *scripts: Script, jid: str = "localhost", password: str = "", **options: Any) -> Client:
        """A client of this server, whose connections run these scripts. It is a guest unless told otherwise."""
        self.scripts = list(scripts)
        defaults: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.port, "require_tls": False, "clock": self.clock, "timeout": PATIENCE,
            "default_features": False, "reconnect": False,
        }  # fmt: skip
        return Client(jid, password, **{**defaults, **options})

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        peer = Peer(reader, writer, self)
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(peer)
        except (EOFError, ConnectionError, ssl.SSLError):
            pass  # the client has left, which is for the test to judge
        except Exception as error:
            self._failure = error
        finally:
            self._running.discard(task)
            writer.close()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._failure is not None:
            raise self._failure


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    made = Liar()
    await made.start()
    yield made
    await made.stop()
