"""One TCP connection on the event loop: joined writes, backpressure both ways, TLS begun in the middle."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar, cast

T = TypeVar("T")

_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 300), (socket.TCP_KEEPINTVL, 60), (socket.TCP_KEEPCNT, 4))
"""A peer that vanished without a word is noticed after nine minutes."""


class Socket(Protocol):
    """What asyncio and uvloop show of a socket."""

    @property
    def family(self) -> int: ...
    def getsockopt(self, level: int, option: int, /) -> int: ...
    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def keep_alive(sock: Socket) -> None:
    """Have the system ask a silent peer whether it is there. Connections inherit it from the listening socket."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


class Tap(Protocol):
    """Something that watches a connection."""

    def received(self, data: bytes) -> None: ...
    def sent(self, data: bytes) -> None: ...


class Connection(asyncio.Protocol):
    """A connection whose writes within one turn of the loop leave in one system call.

    Subclasses implement `opened`, `received`, `lost` and, if they care, `overflowed`.
    """

    __slots__ = (
        "_is_lost",
        "_out",
        "_paused",
        "closing",
        "congested",
        "loop",
        "peer",
        "send_buffer_bytes",
        "tap",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, *, send_buffer_bytes: int) -> None:
        self.loop = loop
        self.send_buffer_bytes = send_buffer_bytes
        self.peer = ""
        """The peer's IP address."""
        self.closing = False
        self.tap: Tap | None = None
        """Sees all octets that come and go, decrypted."""
        self._out: list[bytes] = []
        self.congested = False
        """Whether the peer doesn't read as fast as it is written to."""
        self._is_lost = False
        self._paused: tuple[str, ...] = ()

    # -- for subclasses

    def opened(self) -> None:
        """The connection stands."""

    def received(self, data: bytes) -> None:
        """Octets have come."""

    def lost(self, reason: Exception | None) -> None:
        """The connection is gone."""

    def overflowed(self) -> None:
        """More than `send_buffer_bytes` wait for a peer that doesn't read."""
        self.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) else ""
        if sock := transport.get_extra_info("socket"):
            keep_alive(sock)
        self.opened()

    def data_received(self, data: bytes) -> None:
        if self.tap is not None:
            self.tap.received(data)
        self.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = self.closing = True
        self._out.clear()
        self.lost(exc)

    def pause_writing(self) -> None:
        self.congested = True
        self.pause_reading("congested")  # who doesn't read is not read either

    def resume_writing(self) -> None:
        self.congested = False
        self.resume_reading("congested")

    # -- writing

    def write(self, data: bytes) -> None:
        """Queue octets; all that is queued in this turn of the loop leaves together."""
        out = self._out
        if not out:
            self.loop.call_soon(self._flush)
        out.append(data)

    def _flush(self) -> None:
        out = self._out
        if not out or self.closing:
            out.clear()
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        # What is written at one time may be more than that: the peer had no chance to read it yet.
        if self.congested and self.transport.get_write_buffer_size() + len(data) > self.send_buffer_bytes:
            self.overflowed()
            return
        if self.tap is not None:
            self.tap.sent(data)
        self.transport.write(data)

    def close(self) -> None:
        """Write what is queued, then close."""
        if not self.closing:
            self._flush()
            self.closing = True
            self.transport.close()

    def abort(self) -> None:
        """Close at once; what is queued is lost."""
        self._out.clear()
        self.closing = True
        self.transport.abort()

    # -- reading

    def pause_reading(self, why: str) -> None:
        """Stop reading until every reason to is gone."""
        if not self._paused and not self.closing:
            self.transport.pause_reading()
        if why not in self._paused:
            self._paused += (why,)

    def resume_reading(self, why: str) -> None:
        if why in self._paused:
            self._paused = tuple(other for other in self._paused if other != why)
            if not self._paused and not self.closing:
                self.transport.resume_reading()

    def resume_all(self) -> None:
        """Read again, whatever the reasons not to."""
        if self._paused and not self.closing:
            self.transport.resume_reading()
        self._paused = ()

    # -- TLS

    def start_tls(
        self, context: ssl.SSLContext, *, server_side: bool, seconds: float, server_hostname: str | None = None
    ) -> Awaitable[None]:
        """Flush what is queued, then make the handshake; what is returned raises ssl.SSLError or OSError where it
        fails, which is the end of the connection. A client gives the name that the certificate must be for.

        It begins at once: not one octet more is given to `received` in the clear, not even by uvloop, which reads
        before the next task runs. What it gets from now on is decrypted, and may come before this has been awaited."""
        self._flush()
        begun = _Begun(
            self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=server_side,
                server_hostname=server_hostname,
                ssl_handshake_timeout=seconds,
            )
        )
        return self._finish_tls(begun)

    async def _finish_tls(self, begun: Awaitable[asyncio.Transport | None]) -> None:
        try:
            transport = await begun
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the peer left during the TLS handshake")
        except BaseException as error:
            self.abort()
            # asyncio tells nobody of a connection that is lost during the handshake.
            self.connection_lost(error if isinstance(error, Exception) else None)
            raise
        self.transport = transport
        self._paused = ()  # the new one reads


class _Begun(Generic[T]):
    """A coroutine that has taken its first step already, and takes the others when awaited."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._awaited = coroutine.send(None)

    def __await__(self) -> Generator[Any, Any, T]:
        awaited = self._awaited
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, sent)
            try:
                awaited = step()
            except StopIteration as end:
                return cast("T", end.value)
