"""Both ends of a stream in memory, without sockets or an event loop, and a program behind each that answers it.

ends = pair()
assert ends.server.jid == ends.client.jid == "alice@localhost/garden"

ends = Pair(ClientStream(…), ServerStream(…), host=HostPolicy(…))
ends.client.open()
ends.exchange()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from chirrup.core.errors import StreamError
from chirrup.core.jid import JID
from chirrup.core.sasl import derive_keys
from chirrup.core.states import State
from chirrup.core.stream import (
    AuthFailed,
    BindRefused,
    BindRequest,
    ClientPolicy,
    ClientStream,
    Credentials,
    Event,
    Failed,
    Granted,
    HostPolicy,
    Identity,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedTokens,
    NeedUpgrades,
    Opened,
    Ready,
    Security,
    ServerStream,
    SessionRequest,
    StartTLS,
)

CREDENTIALS: Final = Credentials("alice", "secret")
"""Whom the server's end knows unless it is told otherwise."""

MECHANISMS: Final = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")

Answer = Callable[[Any, Any], list[Event] | None]
"""What a program does about an event: given the stream and the event, it returns the events that its answer caused."""


def pair(
    credentials: Credentials = CREDENTIALS,
    *,
    domain: str = "localhost",
    resource: str = "garden",
    answers: Mapping[type[Event], Answer] | None = None,
    octets: int | None = None,
) -> Pair:
    """A client's and a server's end that have negotiated a stream with each other, STARTTLS included, and are ready.

    `answers`, by kind of event, replace what the programs do about it; `octets` cuts what is carried into pieces of
    that size. Raises the StreamError that ended the stream, or AssertionError where it came to a halt."""
    ends = Pair(
        ClientStream(domain, ClientPolicy(credentials, resource), make_id=_numbered("iq"), make_nonce=_numbered("c")),
        ServerStream(make_id=_numbered("stream"), make_nonce=_numbered("s")),
        host=HostPolicy(domain, mechanisms=MECHANISMS),
        credentials=credentials,
        answers=answers,
        octets=octets,
    )
    ends.client.open()
    ends.exchange()
    ends.check_ready()
    return ends


class Pair:
    """Two streams, what each told its program, and what was carried between them."""

    def __init__(
        self,
        client: ClientStream,
        server: ServerStream,
        *,
        host: HostPolicy,
        credentials: Credentials = CREDENTIALS,
        answers: Mapping[type[Event], Answer] | None = None,
        octets: int | None = None,
    ) -> None:
        """`host` is the only one that the server's end serves, `credentials` are those of its only account."""
        self.client = client
        self.server = server
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self.transcript: list[str] = []
        """What was carried, each with "C: " or "S: " before it."""
        self._host = host
        self._credentials = credentials
        self._answers = answers or {}
        self._octets = octets
        self._handshakes = 0

    def exchange(self) -> None:
        """Carry octets both ways and answer questions, until neither end has anything to say. What is said to an end
        that is ready stays with who says it: it is for the program."""
        while self._carry_to_server() | self._carry_to_client():
            self._shake_hands()

    def check_ready(self) -> None:
        """Raise what kept the streams from becoming ready, if they didn't."""
        for event in self.client_events + self.server_events:
            if isinstance(event, Failed):
                raise event.error
        if not self._times(Ready):
            raise AssertionError("\n".join(["negotiation came to a halt:", *self.transcript]))

    # -- inside

    def _carry_to_server(self) -> bool:
        if self.server.state is State.READY:
            return False
        data = self.client.take()
        if data:
            self.transcript.append("C: " + data.decode())
        for piece in self._cut(data):
            self._happened(self.server, self.server_events, self.server.receive(piece))
        return bool(data)

    def _carry_to_client(self) -> bool:
        if self.client.state is State.READY:
            return False
        data = self.server.take()
        if data:
            self.transcript.append("S: " + data.decode())
        for piece in self._cut(data):
            self._happened(self.client, self.client_events, self.client.receive(piece))
        return bool(data)

    def _cut(self, data: bytes) -> list[bytes]:
        size = self._octets or max(len(data), 1)
        return [data[start : start + size] for start in range(0, len(data), size)]

    def _shake_hands(self) -> None:
        """TLS, once both ends want it: here it is a call on each side."""
        if self._times(StartTLS) > self._handshakes:
            self._handshakes += 1
            security = Security(channel_bindings={"tls-server-end-point": b"a hash"})
            self._happened(self.server, self.server_events, self.server.secured(security))
            self._happened(self.client, self.client_events, self.client.secured(security))

    def _times(self, kind: type[Event]) -> int:
        """How often both ends told of something."""
        return min(
            sum(isinstance(event, kind) for event in events) for events in (self.client_events, self.server_events)
        )

    def _happened(self, stream: ClientStream | ServerStream, log: list[Event], events: list[Event]) -> None:
        for event in events:
            log.append(event)
            answer = self._answers.get(type(event))
            if answer is not None:
                more = answer(stream, event)
            else:
                more = self._serve(event) if stream is self.server else self._use(event)
            self._happened(stream, log, more or [])

    def _serve(self, event: Event) -> list[Event] | None:
        server, known = self.server, self._credentials
        match event:
            case Opened(to=to):
                here = to == self._host.domain
                return server.accept(self._host) if here else server.fail(StreamError("host-unknown"))
            case NeedKeys(username=username, algorithm=algorithm):
                password = known.password if username == known.username else "nobody's"
                return server.keys(derive_keys(algorithm, password, b"sixteen octets..", 4096))
            case NeedPassword(username=username, password=password):
                return server.verified((username, password) == (known.username, known.password))
            case NeedIdentity():
                return server.verified(False)
            case NeedTokens():
                return server.tokens(())
            case NeedUpgrades():
                return server.upgrades(())
            case SessionRequest(identity=identity, bind=bind):
                return server.granted(Granted(self._resource_of(identity, None), ()) if bind else Granted())
            case BindRequest(resource=resource):
                return server.bound(self._resource_of(server.identity, resource))
        return None

    def _resource_of(self, identity: Identity | None, resource: str | None) -> JID:
        account = identity.account if identity else None
        return (account or JID(f"guest@{self._host.domain}")).with_resource(resource or "made-up")

    def _use(self, event: Event) -> list[Event] | None:
        """A client's program that doesn't try again."""
        if isinstance(event, AuthFailed | BindRefused):
            return self.client.close()
        return None


def _numbered(prefix: str) -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"
