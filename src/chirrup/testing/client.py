"""A small client for tests: it negotiates, then sends and receives whole stanzas, and adds nothing of its own."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self, cast

from chirrup.core.errors import StreamError
from chirrup.core.features import ClientFeature
from chirrup.core.framing import farewell
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.stanza import read_stream_error
from chirrup.core.stream import (
    CLIENT_FEATURES,
    AuthFailed,
    BindRefused,
    ClientPolicy,
    ClientStream,
    Closed,
    Credentials,
    Event,
    Failed,
    FeaturesSeen,
    Ready,
    Security,
    StartTLS,
)
from chirrup.core.xml import STREAMS, Element
from chirrup.net.tls import channel_bindings, client_context

TIMEOUT = 10.0
"""Seconds after which a wait for the server is given up: a fault, never a measurement."""


class Refused(Exception):  # noqa: N818 - it says what the server did
    """The server refused the log-in or the resource; the argument is the condition."""


class TestClient:
    """A client's end of one connection. Made by `TestServer.client` and `TestServer.raw`."""

    __test__ = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._bottom = writer.transport
        self.parser = StreamParser(Limits())
        self.jid = JID("localhost")
        """The full JID that was bound."""
        self.error: StreamError | None = None
        """What the server ended the stream with."""
        self.features = Element("features", STREAMS)
        """What the server offered last."""
        self.told: list[Event] = []
        """What negotiation said."""
        self.received: deque[Element] = deque()
        """Stanzas that came and that nobody has asked for yet."""

    @classmethod
    async def connect(cls, address: str, port: int, *, direct_tls: bool = False) -> Self:
        """Open a connection; nothing is sent on it."""
        context = client_context(verify=False) if direct_tls else None
        return cls(*await asyncio.open_connection(address, port, ssl=context, limit=1 << 20))

    async def log_in(
        self, policy: ClientPolicy, domain: str, features: Sequence[Callable[[], ClientFeature]] = CLIENT_FEATURES
    ) -> None:
        """Negotiate until the stream is ready. Raises Refused, or the StreamError that ended it."""
        stream = ClientStream(
            domain, policy, make_id=_token, make_nonce=_token, security=self._security(), features=features
        )
        stream.open()
        events: list[Event] = []
        while True:
            self._writer.write(stream.take())
            self.told += events
            for event in events:
                match event:
                    case StartTLS():
                        await self._writer.start_tls(client_context(verify=False), server_hostname=domain)
                        security = self._security()
                        assert security is not None
                        events = stream.secured(security)
                        break
                    case FeaturesSeen(features=seen):
                        self.features = seen
                    case Ready():
                        self.parser = stream.parser
                        self.jid = JID(stream.jid)
                        self.received.extend(self.parser.feed(stream.leftover))
                        return
                    case AuthFailed(condition=condition):
                        raise Refused(condition)
                    case BindRefused(error=refused):
                        raise Refused(refused.condition)
                    case Failed(error=failed):
                        self.error = failed
                        raise failed
                    case Closed():
                        raise ConnectionResetError("the server closed the stream")
            else:
                async with asyncio.timeout(TIMEOUT):
                    data = await self._reader.read(65_536)
                if not data:
                    raise ConnectionResetError("the server closed the connection")
                events = stream.receive(data)

    def _security(self) -> Security | None:
        tls = self.tls
        if tls is None:
            return None
        certificate = tls.getpeercert(binary_form=True)
        assert certificate is not None
        return Security(channel_bindings=channel_bindings(tls, certificate))

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The connection's TLS, if it has begun."""
        return cast("ssl.SSLObject | None", self._writer.get_extra_info("ssl_object"))

    # -- sending

    def send(self, what: Element | str | bytes) -> None:
        """Send an element, or text as it stands."""
        data = what.to_bytes() if isinstance(what, Element) else what.encode() if isinstance(what, str) else what
        self._writer.write(data)

    @property
    def unsent(self) -> int:
        """Octets that were given to `send` and that the system doesn't take, since the server doesn't read; after
        STARTTLS, encrypted ones too."""
        return sum(transport.get_write_buffer_size() for transport in {self._bottom, self._writer.transport})

    # -- receiving

    @property
    def ended(self) -> bool:
        """Whether the server has ended the stream."""
        return self.error is not None or self.parser.ended

    async def receive(self) -> Element:
        """The next first-level element. A stream error raises StreamError, the end ConnectionResetError."""
        element = await self.receive_any()
        if self.error is not None:
            raise self.error
        return element

    async def receive_any(self) -> Element:
        """The next first-level element, be it a stream error."""
        async with asyncio.timeout(TIMEOUT):
            while not self.received:
                await self._read()
        element = self.received.popleft()
        if element.name == "error" and element.ns == STREAMS:
            self.error = read_stream_error(element)
        return element

    async def _read(self) -> None:
        if self.parser.ended:
            raise ConnectionResetError("the stream has ended")
        data = await self._reader.read(65_536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self.received.extend(self.parser.feed(data))

    async def start_tls(self) -> None:
        """Make the handshake, on a raw connection whose server is ready for it, and expect a new stream."""
        await self._writer.start_tls(client_context(verify=False), server_hostname=self.jid.domain)
        self.restart()

    async def header(self) -> Element:
        """The server's stream header, on a raw connection."""
        async with asyncio.timeout(TIMEOUT):
            while self.parser.header is None:
                await self._read()
        return self.parser.header

    def restart(self) -> None:
        """Expect a new stream from the next octet on, as after SASL."""
        self.parser = StreamParser(Limits())

    async def ask(self, iq: Element) -> Element:
        """Send an IQ and wait for its answer; what comes before it stays in `received`."""
        identifier = iq.attrs.setdefault("id", _token())
        self.send(iq)
        others = list[Element]()
        while True:
            element = await self.receive()
            if element.name == "iq" and element.get("id") == identifier and element.get("type") in ("result", "error"):
                self.received.extendleft(reversed(others))
                return element
            others.append(element)

    async def settle(self) -> None:
        """Return when the server has processed all that was sent here, and what it sent back has come."""
        await self.ask(Element("iq", "jabber:client", Element("ping", "urn:xmpp:ping"), type="get", to=self.jid.domain))

    async def end(self) -> StreamError | None:
        """Wait for the end of the stream and close the connection: the error that the server gave, or None.

        `parser.ended` then tells whether the server closed the stream, or only the connection."""
        try:
            while True:
                await self.receive_any()
        except ConnectionError:
            self._writer.close()
            return self.error

    # -- ending

    async def close(self) -> None:
        """Close the stream in order."""
        self.send(farewell())
        await self.end()

    def drop(self) -> None:
        """Cut the connection without a word."""
        self._writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()


def credentials(local: str, password: str, resource: str = "", **policy: object) -> ClientPolicy:
    """What `log_in` needs of an account."""
    return ClientPolicy(Credentials(local, password), resource, **policy)  # type: ignore[arg-type]


def _token() -> str:
    return secrets.token_urlsafe(12)
