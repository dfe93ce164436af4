"""The load generator's connections: they log in as any client does, then move octets and count stanzas by scanning."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar, cast

from bench.counting import Counter
from chirrup.core.features.resume import Management, managed
from chirrup.core.features.starttls import ClientStartTLS
from chirrup.core.sasl import SaltedPasswords
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

T = TypeVar("T")
PASSWORD: Final = "pencils and paper"
MECHANISM: Final = "SCRAM-SHA-256"
"""The one that all servers are to offer, so that a log-in is the same work everywhere."""
_CONTEXT: Final = client_context(verify=False, alpn=())


class Connection(asyncio.Protocol):
    """One client. After `log_in`, `on_data` gets every piece of octets that comes."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.jid = ""
        self.on_data: Callable[[bytes], object] = self._negotiate
        self.lost = False
        self._stream: ClientStream | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._credentials = Credentials()
        self._tls_wait: list[bytes] | None = None

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    # -- log-in

    async def log_in(
        self,
        user: str,
        resource: str = "",
        *,
        tls: bool = True,
        register: bool = False,
        salted: SaltedPasswords | None = None,
        management: Management | None = None,
    ) -> None:
        """Negotiate as `user`@localhost; with `register` the account is made first, on the same stream. `salted`
        remembers what SCRAM derives from the password, which is the client's work and not the server's. `management`
        is the stream management of a former connection, whose session is resumed."""
        self._credentials = Credentials(user, PASSWORD, mechanisms=(MECHANISM,), salted_passwords=salted)
        # It counts what is delivered, and looks into no archive for what isn't.
        policy = ClientPolicy(None if register else self._credentials, resource, tls_required=tls, reads_archive=False)
        features = [feature for feature in CLIENT_FEATURES if tls or feature is not ClientStartTLS]
        if management is not None:
            features = [*managed(features, management)][:-1]  # but <enable/>
        self._stream = ClientStream("localhost", policy, make_id=_token, make_nonce=_token, features=features)
        self._stream.open()
        self.transport.write(self._stream.take())
        await self._wait()
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
                    self._act(stream, stream.authenticate(self._credentials))
                case Ready():
                    self.jid = stream.jid
                    self.on_data = lambda data: None
                    self._resolve()
                case AuthFailed() | BindRefused() | Failed() | Closed():
                    self._fail(RuntimeError(f"log-in failed: {event}"))

    def _registration(self) -> Element:
        query = Element(
            "query",
            "jabber:iq:register",
            Element("username", "", self._credentials.username),
            Element("password", "", PASSWORD),
        )
        return Element("iq", CLIENT, query, type="set", id=_token(), to="localhost")

    async def _wait(self) -> None:
        """Until `_resolve` or `_fail`. Only one waits at a time."""
        if self.lost:
            raise ConnectionResetError("the server closed the connection")
        self._waiting = self.loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _resolve(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

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

    async def expect(
        self, needle: bytes, count: int = 1, *, seconds: float = 60, keep: bytearray | None = None
    ) -> None:
        """Wait until a needle has come that often. What comes is added to `keep`."""
        counter = Counter(needle)

        def look(data: bytes) -> None:
            if keep is not None:
                keep.extend(data)
            counter.feed(data)
            if counter.total >= count:
                self._resolve()

        self.on_data = look
        async with asyncio.timeout(seconds):
            await self._wait()

    async def settle(self) -> None:
        """Wait until the server has processed all that was sent here, which may be minutes of work."""
        identifier = _token()
        self.write(f"<iq type='get' id='{identifier}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>".encode())
        await self.expect(identifier.encode(), seconds=300)

    def close(self) -> None:
        self.transport.write(b"</stream:stream>")
        self.transport.close()


async def connect(
    port: int,
    user: str,
    resource: str = "",
    *,
    tls: bool = True,
    register: bool = False,
    salted: SaltedPasswords | None = None,
    management: Management | None = None,
) -> Connection:
    """A connection that has logged in."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    try:
        async with asyncio.timeout(120):
            await connection.log_in(user, resource, tls=tls, register=register, salted=salted, management=management)
    except BaseException:
        connection.transport.close()
        raise
    return connection


async def available(
    port: int, names: list[str], *, tls: bool = True, presence: bool = True, register: bool = True
) -> list[Connection]:
    """Clients that are logged in, their accounts made first, and available."""
    users = await in_parallel([connect(port, name, tls=tls, register=register) for name in names], most=16)
    if presence:
        for user in users:
            user.write(b"<presence/>")
        await in_parallel([user.settle() for user in users])
    return users


def close(users: list[Connection]) -> None:
    for user in users:
        user.close()


async def in_parallel(jobs: Iterable[Coroutine[Any, Any, T]], *, most: int = 50) -> list[T]:
    """Run coroutines, so many at once; their results in order."""
    gate = asyncio.Semaphore(most)

    async def run(job: Coroutine[Any, Any, T]) -> T:
        try:
            async with gate:
                return await job
        finally:
            job.close()  # one whose turn never came because another failed

    return await asyncio.gather(*[run(job) for job in jobs])


def _token() -> str:
    return secrets.token_hex(8)
