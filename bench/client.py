"""The load generator's connections: they log in as any client does, then move octets and count stanzas by scanning.

A stanza is counted by its end tag, wherever the octets were cut in two; nothing is parsed.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from typing import cast

from chirrup.core.features.starttls import ClientStartTLS
from chirrup.core.stream import (
    CLIENT_FEATURES,
    AuthFailed,
    BindRefused,
    ClientPolicy,
    ClientStream,
    Closed,
    Credentials,
    EarlyIQ,
    Event,
    Failed,
    NeedCredentials,
    Ready,
    Security,
    StartTLS,
)
from chirrup.core.xml import CLIENT, Element
from chirrup.net.tls import client_context

PASSWORD = "pencils and paper"
_CONTEXT = client_context(verify=False, alpn=())


class Counter:
    """Counts occurrences of one needle in octets that come in pieces."""

    __slots__ = ("_needle", "_tail", "total")

    def __init__(self, needle: bytes) -> None:
        self._needle = needle
        self._tail = b""
        self.total = 0

    def feed(self, data: bytes) -> int:
        """How many more there are now."""
        data = self._tail + data
        found = data.count(self._needle)
        self.total += found
        # The longest rest that could still become the needle, but that doesn't hold a whole one.
        end = data.rfind(self._needle)
        rest = data[end + len(self._needle) :] if end >= 0 else data
        self._tail = rest[-(len(self._needle) - 1) :]
        return found


class Connection(asyncio.Protocol):
    """One client. After `log_in`, `on_data` gets every piece of octets that comes."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.jid = ""
        self.on_data: Callable[[bytes], None] = self._negotiate
        self.lost = False
        self._stream: ClientStream | None = None
        self._done: asyncio.Future[None] = self.loop.create_future()
        self._register = False
        self._user = ""
        self._tls_wait: list[bytes] | None = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server closed the connection"))

    # -- log-in

    async def log_in(self, user: str, resource: str = "", *, tls: bool = True, register: bool = False) -> None:
        """Negotiate as `user`@localhost; with `register` the account is made first, on the same stream."""
        self._user = user
        self._register = register
        credentials = None if register else Credentials(user, PASSWORD)
        policy = ClientPolicy(credentials, resource, tls_required=tls)
        features = [feature for feature in CLIENT_FEATURES if tls or feature is not ClientStartTLS]
        self._stream = ClientStream("localhost", policy, make_id=_token, make_nonce=_token, features=features)
        self._stream.open()
        self.transport.write(self._stream.take())
        await self._done
        self._stream = None

    def _negotiate(self, data: bytes) -> None:
        if self._tls_wait is not None:
            self._tls_wait.append(data)
        elif self._stream is not None:
            self._act(self._stream, self._stream.receive(data))

    def _act(self, stream: ClientStream, events: list[Event]) -> None:
        if out := stream.take():
            self.transport.write(out)
        for event in events:
            match event:
                case StartTLS():
                    self._tls_wait = []
                    self.loop.create_task(self._start_tls(stream))
                case NeedCredentials():
                    stream.send(self._registration())
                    self.transport.write(stream.take())
                case EarlyIQ(iq=iq):
                    if iq.get("type") == "error" and "conflict" not in str(iq):
                        self._fail(RuntimeError(f"registration refused: {iq}"))
                        return
                    self._act(stream, stream.authenticate(Credentials(self._user, PASSWORD)))
                case Ready():
                    self.jid = stream.jid
                    self.on_data = lambda data: None
                    if not self._done.done():
                        self._done.set_result(None)
                case AuthFailed() | BindRefused() | Failed() | Closed():
                    self._fail(RuntimeError(f"log-in failed: {event}"))

    def _registration(self) -> Element:
        query = Element(
            "query", "jabber:iq:register", Element("username", "", self._user), Element("password", "", PASSWORD)
        )
        return Element("iq", CLIENT, query, type="set", id=_token(), to="localhost")

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    async def _start_tls(self, stream: ClientStream) -> None:
        try:
            transport = await self.loop.start_tls(self.transport, self, _CONTEXT, server_hostname="localhost")
        except (OSError, ssl.SSLError) as error:
            self._fail(error)
            return
        assert transport is not None
        self.transport = transport
        waited, self._tls_wait = self._tls_wait or [], None
        # Without channel bindings: the servers don't agree on their types, and a log-in is to cost all the same.
        self._act(stream, stream.secured(Security()))
        if waited:
            self._negotiate(b"".join(waited))

    # -- work

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    async def expect(self, needle: bytes, count: int = 1, *, seconds: float = 60) -> None:
        """Wait until a needle has come that often."""
        counter = Counter(needle)
        done: asyncio.Future[None] = self.loop.create_future()

        def look(data: bytes) -> None:
            counter.feed(data)
            if counter.total >= count and not done.done():
                done.set_result(None)

        self.on_data = look
        async with asyncio.timeout(seconds):
            await done

    async def settle(self) -> None:
        """Wait until the server has processed all that was sent here."""
        identifier = _token()
        self.write(f"<iq type='get' id='{identifier}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>".encode())
        await self.expect(identifier.encode())

    def close(self) -> None:
        self.transport.write(b"</stream:stream>")
        self.transport.close()


async def connect(port: int, user: str, resource: str = "", *, tls: bool = True, register: bool = False) -> Connection:
    """A connection that has logged in."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    async with asyncio.timeout(120):
        await connection.log_in(user, resource, tls=tls, register=register)
    return connection


async def in_parallel(jobs: list, most: int = 50) -> list:  # type: ignore[type-arg]
    """Run coroutines, so many at once; their results in order."""
    gate = asyncio.Semaphore(most)

    async def run(job):  # type: ignore[no-untyped-def]
        async with gate:
            return await job

    return await asyncio.gather(*[run(job) for job in jobs])


def _token() -> str:
    return secrets.token_hex(8)
