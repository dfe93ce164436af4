"""Both ends of a stream in memory, with a program behind each that answers its questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.features.upgrade import Upgrade
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.sasl import KnownToken, derive_keys
from chirrup.core.stanza import read_stream_error
from chirrup.core.stream import (
    BindRequest,
    ClientPolicy,
    ClientStream,
    Credentials,
    Event,
    Granted,
    HostPolicy,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedTokens,
    NeedUpgrades,
    Opened,
    Security,
    ServerStream,
    SessionRequest,
    StartTLS,
    Token,
)
from chirrup.core.xml import Element

HOST = "im.example.com"
USER, PASSWORD = "juliet", "r0m30myr0m30"
JULIET = Credentials(USER, PASSWORD)
ALL_MECHANISMS = (
    "EXTERNAL",
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "ANONYMOUS",
)
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}

Answer = Callable[[ServerStream, Any], list[Event] | None]


def numbered(prefix: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


class Program:
    """One end, the events that it gave, and what it does about them."""

    def __init__(self, stream: ServerStream | ClientStream) -> None:
        self.stream: Any = stream
        self.events: list[Event] = []

    def feed(self, data: bytes, size: int | None = None) -> None:
        """Give octets to the stream, in pieces of `size`."""
        for start in range(0, len(data), size or max(len(data), 1)):
            self.did(self.stream.receive(data[start : start + (size or len(data))]))

    def say(self, text: str) -> str:
        """Give the stream a text, and get what it answers."""
        self.feed(text.encode())
        return self.stream.take().decode()

    def did(self, events: list[Event]) -> None:
        for event in events:
            self.events.append(event)
            self.did(self.answer(event) or [])

    def answer(self, event: Event) -> list[Event] | None:
        return None

    @property
    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]

    def of(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if type(event) is kind]


class Service(Program):
    """A server with one account. `answers` by kind of event replace what it would do."""

    def __init__(self, stream: ServerStream, policy: HostPolicy, answers: dict[type, Answer] | None = None) -> None:
        super().__init__(stream)
        self.policy = policy
        self.answers = answers or {}
        self.tokens: tuple[KnownToken, ...] = ()
        """Those that every client may have."""
        self.results: tuple[Element, ...] = ()
        """What is said in `<bound/>`."""

    def answer(self, event: Event) -> list[Event] | None:
        stream = self.stream
        if type(event) in self.answers:
            return self.answers[type(event)](stream, event)
        match event:
            case Opened(to=to):
                known = to == self.policy.domain
                return stream.accept(self.policy) if known else stream.fail(StreamError("host-unknown"))
            case NeedKeys(username, algorithm):
                return stream.keys(
                    derive_keys(algorithm, PASSWORD if username == USER else "?", b"0123456789abcdef", 4096)
                )
            case NeedPassword(username, password):
                return stream.verified((username, password) == (USER, PASSWORD))
            case NeedIdentity(authzid):
                return stream.verified(authzid in ("", *stream.security.identities))
            case NeedTokens():
                return stream.tokens(self.tokens)
            case NeedUpgrades(algorithms=algorithms):
                return stream.upgrades([Upgrade(name, b"salt for " + name.encode(), 4096) for name in algorithms])
            case SessionRequest():
                return stream.granted(self.grant(event))
            case BindRequest(resource):
                account = stream.identity.account or JID(f"anonymous@{HOST}")
                return stream.bound(account.with_resource(resource or "made-up"))
        return None

    def grant(self, request: SessionRequest) -> Granted:
        """A resource to who wants one, and a token."""
        token = Token(request.wants_token, "s3cr3t", "2030-01-01T00:00:00Z") if request.wants_token else None
        if request.bind is None:
            return Granted(token=token)
        account = request.identity.account or JID(f"anonymous@{HOST}")
        jid = account.with_resource(f"{request.bind.tag}/made-up".strip("/"))
        return Granted(jid, self.results, token=token)

    def greet(self, **attributes: str | None) -> str:
        """Open a stream as a client does; `None` leaves an attribute of the header out."""
        return self.say(header(**attributes))


def header(prefix: str = "stream", **changes: str | None) -> str:
    attributes: dict[str, str | None] = {
        "to": HOST,
        "version": "1.0",
        "xml:lang": "en",
        "xmlns": "jabber:client",
        f"xmlns:{prefix}": "http://etherx.jabber.org/streams",
        **{key.replace("_", ":").rstrip(":"): value for key, value in changes.items()},
    }
    written = "".join(f" {key}='{value}'" for key, value in attributes.items() if value is not None)
    return f"<?xml version='1.0'?><{prefix}:stream{written}>"


@dataclass(frozen=True)
class Said:
    """What one end sent, read as XML; where it starts within a stream, a header is put before it."""

    header: Element | None
    elements: list[Element]
    ended: bool

    @property
    def error(self) -> str:
        """The condition of the stream error at the end."""
        assert self.ended, "an error is followed by the end of the stream"
        return read_stream_error(self.elements[-1]).condition


def read(text: str) -> Said:
    parser = StreamParser(Limits())
    fragment = not text.startswith("<?xml")
    elements = parser.feed(((header() if fragment else "") + text).encode())
    return Said(None if fragment else parser.header, elements, parser.ended)


class Link:
    """A client and a server joined. Octets move in pieces of `size`; a handshake is a call on each side."""

    def __init__(self, client: Program, server: Service, size: int | None, security: Security) -> None:
        self.client, self.server = client, server
        self.size = size
        self.security = security
        self.handshakes = 0
        self.transcript: list[str] = []

    def run(self) -> None:
        """Move octets both ways, until neither side has anything to say."""
        while self._carry(self.client, self.server, "C: ") | self._carry(self.server, self.client, "S: "):
            both = len(self.client.of(StartTLS)), len(self.server.of(StartTLS))
            if min(both) > self.handshakes:
                self.handshakes += 1
                self.server.did(self.server.stream.secured(self.security))
                self.client.did(self.client.stream.secured(replace(self.security, identities=())))

    def _carry(self, source: Program, target: Program, mark: str) -> bool:
        data = source.stream.take()
        if data:
            self.transcript.append(mark + data.decode())
            target.feed(data, self.size)
        return bool(data)


@pytest.fixture
def serve() -> Callable[..., Service]:
    """Makes a server's end: `serve(answers={…}, security=…, **policy)`."""

    def make(
        answers: dict[type, Answer] | None = None,
        security: Security | None = None,
        default_host: str = "",
        **policy: Any,
    ) -> Service:
        stream = ServerStream(
            make_id=numbered("stream-"),
            make_nonce=numbered("server-nonce-"),
            security=security,
            default_host=default_host,
        )
        return Service(stream, HostPolicy(HOST, **{"mechanisms": ALL_MECHANISMS, **policy}), answers)

    return make


@pytest.fixture
def dial() -> Callable[..., Program]:
    """Makes a client's end: `dial(Credentials(…), security=…, **policy)`."""

    def make(credentials: Credentials | None = JULIET, security: Security | None = None, **policy: Any) -> Program:
        stream = ClientStream(
            HOST,
            ClientPolicy(credentials, **policy),
            make_id=numbered("iq-"),
            make_nonce=numbered("client-nonce-"),
            security=security,
        )
        return Program(stream)

    return make


@pytest.fixture
def link(serve: Callable[..., Service], dial: Callable[..., Program]) -> Iterator[Callable[..., Link]]:
    """Joins a client and a server and opens the stream; without any, the usual ones."""

    def make(
        client: Program | None = None,
        server: Service | None = None,
        *,
        size: int | None = None,
        bindings: dict[str, bytes] | None = None,
        identities: tuple[str, ...] = (),
    ) -> Link:
        security = Security(channel_bindings=BINDINGS if bindings is None else bindings, identities=identities)
        joined = Link(client or dial(), server or serve(), size, security)
        joined.client.stream.open()
        joined.run()
        return joined

    yield make


@pytest.fixture(name="header")
def header_fixture() -> Callable[..., str]:
    """Writes the header that a client opens its stream with; arguments change its attributes, `None` removes them."""
    return header


@pytest.fixture(name="read")
def read_fixture() -> Callable[[str], Said]:
    """Reads what one end sent."""
    return read
