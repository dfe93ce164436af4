"""Negotiating a stream, at both ends, without I/O: octets in, events and octets out (RFC 6120 §§4 to 7).

`receive()` takes what came from the peer and returns what happened; `take()` gives what is to be sent now. An event
that asks something says by which method it is answered; every such method returns further events, since octets that
came in meanwhile are read only then. An answer that comes after the stream's end is ignored. `paused` says that
nothing more should be read from the connection.

    stream = ServerStream(limits=…, make_id=…, make_nonce=…)
    for event in stream.receive(data):
        match event:
            case Opened(to=to):
                more = stream.accept(hosts[to].policy)
            case NeedKeys(username, algorithm):
                more = stream.keys(…)
            …
    transport.write(stream.take())

At `Ready` negotiation is over: the program feeds `stream.parser` itself, first with `stream.leftover`, ends the
stream by `framing.farewell`, and drops this object with all that it remembers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from chirrup.core.errors import AddressError, LocalProtocolError, SASLError, StanzaError, StreamError
from chirrup.core.features import (
    ClientFeature,
    ClientPolicy,
    Credentials,
    Event,
    HostPolicy,
    Identity,
    Security,
    ServerFeature,
)
from chirrup.core.features.bind import BindRefused, BindRequest, Bound, ClientBind, ServerBind
from chirrup.core.features.early import EarlyIQ, ServerEarlyIQ
from chirrup.core.features.limits import ClientLimits, LimitsSeen, ServerLimits
from chirrup.core.features.sasl import (
    Authenticated,
    AuthFailed,
    ClientSASL,
    NeedCredentials,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    ServerSASL,
)
from chirrup.core.features.session import ClientSession, ServerSession
from chirrup.core.features.starttls import ClientStartTLS, ServerStartTLS, StartTLS
from chirrup.core.framing import TCP_FRAMING, Framing, farewell
from chirrup.core.jid import JID
from chirrup.core.parser import CONTENT_NAMESPACES, Limits, StreamParser
from chirrup.core.sasl import ScramKeys
from chirrup.core.stanza import is_stanza, read_stream_error
from chirrup.core.states import (
    CLIENT,
    CLIENT_PAUSES,
    PEER_FAULTS,
    SERVER,
    SERVER_PAUSES,
    Outcome,
    Own,
    Peer,
    Signal,
    State,
    Table,
)
from chirrup.core.xml import CLIENT as CLIENT_NS
from chirrup.core.xml import STREAMS, XML_LANG, Element

__all__ = [
    "CLIENT_FEATURES",
    "SERVER_FEATURES",
    "AuthFailed",
    "Authenticated",
    "BindRefused",
    "BindRequest",
    "Bound",
    "ClientPolicy",
    "ClientStream",
    "Closed",
    "Credentials",
    "EarlyIQ",
    "Event",
    "Failed",
    "FeaturesSeen",
    "HostPolicy",
    "Identity",
    "LimitsSeen",
    "NeedCredentials",
    "NeedIdentity",
    "NeedKeys",
    "NeedPassword",
    "Opened",
    "Ready",
    "Security",
    "SeeOtherHost",
    "ServerStream",
    "StartTLS",
    "unexpected",
]

SERVER_FEATURES: Final[tuple[Callable[[], ServerFeature], ...]] = (
    ServerStartTLS,
    ServerEarlyIQ,
    ServerSASL,
    ServerBind,
    ServerSession,
    ServerLimits,
)
"""What a server negotiates with its clients, in the order of XEP-0170."""

CLIENT_FEATURES: Final[tuple[Callable[[], ClientFeature], ...]] = (
    ClientLimits,
    ClientStartTLS,
    ClientSASL,
    ClientBind,
    ClientSession,
)
"""What a client negotiates, in the order of XEP-0170."""


# -- events


@dataclass(frozen=True, slots=True)
class Opened(Event):
    """To a server: a stream header, the first or one after a restart. Answer by `accept(policy)` or `fail(error)`."""

    to: str
    """The domain that is asked for, canonical."""
    sender: JID | None
    """Who says it is; not to be trusted before authentication."""
    lang: str
    """The default xml:lang of the peer's stanzas, as it was sent; "" when it wasn't."""
    version: str


@dataclass(frozen=True, slots=True)
class FeaturesSeen(Event):
    """To a client: what its server offers at this point. Nothing needs to be done."""

    features: Element


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """Negotiation is over: take `parser` and `leftover`, and go on without the stream."""


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """Both halves of the stream are closed: send what `take()` has, then close the connection."""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The stream ended with an error: send what `take()` has, then close the connection."""

    error: StreamError
    received: bool = False
    """Whether it was the peer that sent the error."""


@dataclass(frozen=True, slots=True)
class SeeOtherHost(Event):
    """To a client: its server sends it elsewhere, under the conditions of RFC 6120 §4.9.3.19; this stream is over."""

    host: str
    """A domain or an IP address, as the domainpart of a JID."""
    port: int | None


# -- what both ends do


_VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")

Feature = TypeVar("Feature", ServerFeature, ClientFeature)


def unexpected(element: Element) -> StreamError:
    """The error for a first-level element that nobody takes (RFC 6120 §4.8.3, §4.8.4, §4.9.3.12)."""
    if is_stanza(element):
        return StreamError("not-authorized", "stanzas come after negotiation")
    if not element.ns or (element.ns in CONTENT_NAMESPACES and element.ns != CLIENT_NS):
        return StreamError("invalid-namespace", f"<{element.name}/> is not in a namespace of this stream")
    return StreamError("unsupported-stanza-type", f"<{element.name}/> is nothing that is known here")


class Stream:
    """What the two ends share: the states, the parser, what waits to be sent, and the end."""

    _table: ClassVar[Table]
    _pauses: ClassVar[frozenset[State]]

    def __init__(
        self,
        *,
        make_id: Callable[[], str],
        make_nonce: Callable[[], str],
        limits: Limits,
        security: Security | None,
        content: str,
        framing: Framing,
    ) -> None:
        self.make_id = make_id
        self.make_nonce = make_nonce
        self.security = security
        self.identity: Identity | None = None
        self.jid = ""
        self.state = State.HEADER
        self.parser = StreamParser(limits)
        self._content = content
        self._framing = framing
        self._in, self._position = b"", 0  # what came in, and how much of it the parser had
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._opened = False  # whether our header of the present stream was written
        self._fresh = True  # whether the parser had nothing yet

    @property
    def paused(self) -> bool:
        """Whether the program must act before anything more is read."""
        return self.state in self._pauses

    @property
    def _over(self) -> bool:
        return self.state in (State.CLOSING, State.CLOSED)

    @property
    def leftover(self) -> bytes:
        """What came in and the parser hasn't had."""
        return self._in[self._position :]

    @property
    def limits(self) -> Limits:
        """What the peer may send at present."""
        return self.parser.limits

    def receive(self, data: bytes) -> list[Event]:
        """Take octets from the peer."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.READY:
            raise LocalProtocolError("the stream is ready: feed its parser")
        self._in, self._position = self.leftover + data, 0
        return self._go_on()

    def take(self) -> bytes:
        """What is to be sent now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def close(self) -> list[Event]:
        """Close our half; `Closed` follows when the peer has closed its own (RFC 6120 §4.4)."""
        if self._over:
            return []
        if self._opened and self.state is not State.HANDSHAKE:
            self._out.append(self._framing.close())
            self._move(Own.CLOSE)
        else:
            self.state = State.CLOSED
            self.emit(Closed())
        return self._go_on()

    def fail(self, error: StreamError) -> list[Event]:
        """End the stream with an error."""
        self._fail(error)
        return self._go_on()

    def secured(self, security: Security) -> list[Event]:
        """The TLS handshake is done: to a client that means that the certificate is the domain's. All that was learnt
        before is forgotten (RFC 6120 §5.4.3.3)."""
        if self._over:
            return []
        self._move(Own.SECURED)
        self.security = security
        self._in, self._position = b"", 0
        self._restart(self.limits)
        return self._go_on()

    # -- for features

    def write(self, element: Element) -> None:
        self._out.append(self._framing.element(element))

    def emit(self, event: Event) -> None:
        self._events.append(event)

    # -- inside

    def _header_came(self, header: Element) -> None:
        raise NotImplementedError

    def _element_came(self, element: Element) -> None:
        raise NotImplementedError

    def _write_header(self) -> None:
        raise NotImplementedError

    def _redirected(self, error: StreamError) -> Event:
        """The event for a stream error of the peer's."""
        return Failed(error, received=True)

    def _move(self, signal: Signal) -> None:
        """Go where the table says."""
        target = self._table[self.state].get(signal)
        if target is not None:
            self.state = target
        elif signal in PEER_FAULTS:
            raise StreamError(*PEER_FAULTS[signal])
        else:
            raise LocalProtocolError(f"{signal.name} is not possible in state {self.state.name}")

    def _go_on(self) -> list[Event]:
        """Read on as far as may be, and give what happened."""
        try:
            self._read()
        except StreamError as error:
            self._fail(error)
        events, self._events = self._events, []
        return events

    def _read(self) -> None:
        """Feed the parser up to one ">" at a time, so that what follows a restart goes to the next parser."""
        while not self.paused and self.state is not State.CLOSED:
            if self.parser.ended:
                self._peer_closed()
            elif self._position == len(self._in):
                break
            else:
                start = self._position
                self._position = self._in.find(b">", start) + 1 or len(self._in)
                self._feed(self._in[start : self._position])
        if self.state is State.HANDSHAKE and self.leftover.strip():
            raise StreamError("policy-violation", "nothing may come between STARTTLS and the handshake")
        if len(self._in) - self._position > self.limits.stanza_bytes:
            raise StreamError("policy-violation", "too much was sent ahead")

    def _feed(self, piece: bytes) -> None:
        headless = self.parser.header is None
        if self._fresh:
            piece = piece.lstrip()  # a line break after what made the stream restart
            self._fresh = not piece
        elements = self.parser.feed(piece)
        if self.state is State.CLOSING:
            return
        if headless and self.parser.header is not None:
            self._header_came(self.parser.header)
        for element in elements:
            if element.name == "error" and element.ns == STREAMS:
                self._peer_failed(read_stream_error(element))
            else:
                self._element_came(element)

    def _restart(self, limits: Limits) -> None:
        self.parser = StreamParser(limits)
        self._opened, self._fresh = False, True

    def _peer_closed(self) -> None:
        if self.state is not State.CLOSING:
            self._out.append(self._framing.close())
        self._move(Peer.CLOSE)
        self.emit(Closed())

    def _peer_failed(self, error: StreamError) -> None:
        """RFC 6120 §4.9.1.1: who receives an error closes the stream."""
        self._out.append(self._framing.close())
        self._move(Own.FAIL)
        self.emit(self._redirected(error))

    def _fail(self, error: StreamError) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.CLOSING:
            self._move(Own.FAIL)
            self.emit(Closed())
            return
        if self.state is not State.HANDSHAKE:  # where only TLS may be spoken
            if not self._opened:
                self._write_header()
            self._out.append(farewell(error, self._framing))
        self._move(Own.FAIL)
        self.emit(Failed(error))

    def _end(self) -> None:
        self._out.append(self._framing.close())
        self.emit(Closed())


# -- the receiving end


class ServerStream(Stream):
    """The receiving entity's end of a stream under negotiation."""

    _table = SERVER
    _pauses = SERVER_PAUSES

    def __init__(
        self,
        *,
        make_id: Callable[[], str],
        make_nonce: Callable[[], str],
        limits: Limits = Limits(stanza_bytes=16_384),  # noqa: B008 - frozen
        security: Security | None = None,
        default_host: str = "",
        features: Sequence[Callable[[], ServerFeature]] = SERVER_FEATURES,
        content: str = CLIENT_NS,
        framing: Framing = TCP_FRAMING,
    ) -> None:
        """`make_id` makes stream ids, `make_nonce` nonces, both unpredictable (RFC 6120 §4.7.3), nonces of printable
        ASCII without comma. `limits` hold until authentication. `security` is given where TLS was there first (direct
        TLS). `default_host` is who answers those who ask for nobody that is known here."""
        super().__init__(
            make_id=make_id, make_nonce=make_nonce, limits=limits, security=security, content=content, framing=framing
        )
        self.policy = HostPolicy(default_host)
        self.sender: JID | None = None
        self.lang = ""
        self._reply_lang = self.policy.languages[0]
        self._version: str | None = "1.0"
        self._features = tuple(make() for make in features)
        self._active: ServerFeature | None = None

    # -- the program's answers

    def accept(self, policy: HostPolicy) -> list[Event]:
        """Serve the stream by this host. After authentication it is the same host, if perhaps under another policy."""
        if self._over:
            return []
        if self.identity is not None and policy.domain != self.policy.domain:
            raise LocalProtocolError(f"the stream belongs to {self.policy.domain}, not to {policy.domain}")
        self._move(Own.ACCEPT)
        self.policy = policy
        self._reply_lang = _lookup(self.lang, policy.languages)
        self._write_header()
        self._write_features()
        return self._go_on()

    def answer(self, answer: object) -> list[Event]:
        """Answer the question of the last event. The methods below do so for the features that are here."""
        feature = self._active
        if self._over:
            return []
        if self.state is not State.QUESTION or feature is None:
            raise LocalProtocolError("nothing was asked")
        try:
            self._settle(feature, feature.answer(self, answer))
        except StreamError as error:
            self._fail(error)
        return self._go_on()

    def keys(self, keys: ScramKeys) -> list[Event]:
        """Answer `NeedKeys`."""
        return self.answer(keys)

    def verified(self, accepted: bool) -> list[Event]:
        """Answer `NeedPassword` or `NeedIdentity`."""
        return self.answer(accepted)

    def reject(self, error: SASLError) -> list[Event]:
        """Answer `NeedKeys`, `NeedPassword` or `NeedIdentity` with another failure than the usual one."""
        return self.answer(error)

    def bound(self, jid: JID) -> list[Event]:
        """Answer `BindRequest` with the full JID that the client has from now on."""
        return self.answer(jid)

    def refuse(self, error: StanzaError) -> list[Event]:
        """Answer `BindRequest` or `EarlyIQ` with an error; the client may try again."""
        return self.answer(error)

    def send(self, iq: Element) -> list[Event]:
        """Answer `EarlyIQ`."""
        return self.answer(iq)

    # -- for features

    @property
    def may_authenticate(self) -> bool:
        return self.identity is None and (self.security is not None or not self.policy.tls_required)

    # -- inside

    def _restart(self, limits: Limits) -> None:
        super()._restart(limits)
        self.sender, self.lang, self._version = None, "", "1.0"

    def _header_came(self, header: Element) -> None:
        """What the header says of its sender is for our own header too, also when an error follows there."""
        self.lang = header.lang
        self._version = _version_of(header)
        self.sender, wrong = _sender_of(header)
        self._framing.check_header(header, self.parser.prefixes, self._content)
        _check_version(header)
        if wrong is not None:
            raise wrong
        to = self._host_of(header)
        if self.identity is not None:
            if to != self.policy.domain:
                raise StreamError("not-authorized", f"the stream was authenticated for {self.policy.domain}")
            if self.sender and self.identity.account and self.sender.bare != self.identity.account:
                raise StreamError("invalid-from", "the header isn't from who authenticated")
        self._move(Peer.HEADER)
        self.emit(Opened(to, self.sender, self.lang, header.get("version")))

    def _host_of(self, header: Element) -> str:
        """The domain in `to`, or else the one that TLS was asked for (RFC 6120 §4.7.2, §4.9.1.3)."""
        text = header.get("to") or (self.security.server_name if self.security else "")
        if not text:
            raise StreamError("host-unknown", "the header doesn't say 'to' which host")
        try:
            jid = JID(text)
        except AddressError as error:
            raise StreamError("improper-addressing", str(error)) from None
        if jid.text != jid.domain:
            raise StreamError("improper-addressing", "a stream is opened 'to' a domain, not to an account")
        return jid.domain

    def _element_came(self, element: Element) -> None:
        for feature in self._features:
            if feature.claims(self, element):
                break
        else:
            raise unexpected(element)
        self._move(Peer.TURN if feature is self._active else Peer.CHOICE)
        self._settle(feature, feature.handle(self, element))

    def _be_ready(self) -> None:
        self._move(Outcome.DONE)
        self._features = ()
        self.emit(Ready())

    def _settle(self, feature: ServerFeature, outcome: Outcome) -> None:
        self._active = feature if outcome in (Outcome.TURN, Outcome.ASK) else None
        if outcome is Outcome.DONE:
            self._be_ready()
            return
        self._move(outcome)
        if outcome is Outcome.RESTART:
            self._restart(self.limits if self.identity is None else self.policy.limits)
        elif outcome is Outcome.ADVANCE:
            self._write_features()
        elif outcome is Outcome.END:
            self._end()

    def _write_features(self) -> None:
        features = Element("features", STREAMS)
        for feature in self._features:
            for offer in feature.offer(self):
                features.append(offer)
        extra: tuple[Element, ...] = ()
        if self.may_authenticate:
            extra = self.policy.features_before
        elif self.identity is not None:
            extra = self.policy.features_after
        for offer in extra:
            features.append(offer)
        self.write(features)
        if not any(feature.needed(self) for feature in self._features):
            self._be_ready()

    def _write_header(self) -> None:
        attributes = {"from": self.policy.domain, "id": self.make_id()}
        if self.sender is not None:
            attributes["to"] = self.sender.bare.text
        if self._version is not None:
            attributes["version"] = self._version
        attributes[XML_LANG] = self._reply_lang
        self._out.append(self._framing.header(attributes, self._content))
        self._opened = True


def _sender_of(header: Element) -> tuple[JID | None, StreamError | None]:
    """The header's `from`, or what is wrong with it."""
    text = header.get("from")
    try:
        return JID(text) if text else None, None
    except AddressError as error:
        return None, StreamError("improper-addressing", str(error))


def _check_version(header: Element) -> None:
    """RFC 6120 §4.7.5: a minor version that is higher makes no difference, another major version all of it."""
    match = _VERSION.fullmatch(header.get("version"))
    if match is None or int(match[1]) != 1:
        raise StreamError("unsupported-version", "this is XMPP 1.0")


def _version_of(header: Element) -> str | None:
    """What the header that answers this one says: the lower of the two versions, none if there was none."""
    match = _VERSION.fullmatch(header.get("version"))
    if match is not None and int(match[1]) < 1:
        return f"{int(match[1])}.{int(match[2])}"
    return "1.0" if header.get("version") else None


def _lookup(wanted: str, languages: Sequence[str]) -> str:
    """The language that matches best by the lookup scheme (RFC 4647 §3.4); the first one if none does."""
    known = {language.lower(): language for language in languages}
    subtags = wanted.lower().split("-")
    while subtags:
        found = known.get("-".join(subtags))
        if found is not None:
            return found
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()
    return languages[0]


# -- the initiating end


class ClientStream(Stream):
    """The initiating entity's end of a stream under negotiation. Begin with `open()`.

    SCRAM derives keys from the password within `receive`, for as long as the server's number of iterations asks: an
    event loop that has other work may call it in a thread.
    """

    _table = CLIENT
    _pauses = CLIENT_PAUSES

    def __init__(
        self,
        domain: str,
        policy: ClientPolicy,
        *,
        make_id: Callable[[], str],
        make_nonce: Callable[[], str],
        limits: Limits = Limits(),  # noqa: B008 - frozen
        security: Security | None = None,
        lang: str = "en",
        features: Sequence[Callable[[], ClientFeature]] = CLIENT_FEATURES,
        content: str = CLIENT_NS,
        framing: Framing = TCP_FRAMING,
    ) -> None:
        """`domain` is who the server must be; it is prepared. `make_id` makes ids for IQs, `make_nonce` unpredictable
        nonces. `security` is given where TLS was there first (direct TLS). Raises AddressError."""
        super().__init__(
            make_id=make_id, make_nonce=make_nonce, limits=limits, security=security, content=content, framing=framing
        )
        self.domain = JID(domain).domain
        self.policy = policy
        self._lang = lang
        self._features = tuple(make() for make in features)
        self._active: ClientFeature | None = None
        self._seen = Element("features", STREAMS)
        self._server: tuple[JID | None, StreamError | None] = None, None

    # -- the program's part

    def open(self) -> None:
        """Begin the stream."""
        if self._opened or self.state is not State.HEADER:
            raise LocalProtocolError("the stream is open already")
        self._write_header()

    def answer(self, answer: object) -> list[Event]:
        """Answer the question of the last event. The methods below do so for the features that are here."""
        feature = self._active
        if self._over:
            return []
        if self.state is not State.QUESTION or feature is None:
            raise LocalProtocolError("nothing was asked")
        try:
            self._settle(feature, feature.answer(self, answer))
        except StreamError as error:
            self._fail(error)
        return self._go_on()

    def authenticate(self, credentials: Credentials) -> list[Event]:
        """Answer `NeedCredentials` or `AuthFailed`."""
        return self.answer(credentials)

    def bind(self, resource: str) -> list[Event]:
        """Answer `BindRefused` with another resource; "" to let the server make one."""
        return self.answer(resource)

    def send(self, iq: Element) -> None:
        """Ask the server something before authentication; the answer comes as `EarlyIQ`."""
        if self.state is not State.QUESTION or self.identity is not None:
            raise LocalProtocolError("an IQ may be sent where credentials are asked for")
        self.write(iq)

    # -- inside

    def _restart(self, limits: Limits) -> None:
        super()._restart(limits)
        self._write_header()

    def _header_came(self, header: Element) -> None:
        self._framing.check_header(header, self.parser.prefixes, self._content)
        _check_version(header)
        self._server = _sender_of(header)
        self._move(Peer.HEADER)

    def _element_came(self, element: Element) -> None:
        feature = self._active
        if self.state is State.FEATURES:
            if element.name != "features" or element.ns != STREAMS:
                raise unexpected(element)
            self._features_came(element)
        elif self.state is State.QUESTION and element.name == "iq" and element.get("type") in ("result", "error"):
            self._move(Peer.REPLY)
            self.emit(EarlyIQ(element))
        elif self.state is State.EXCHANGE and feature is not None and feature.claims(self, element):
            self._move(Peer.TURN)
            self._settle(feature, feature.handle(self, element))
        else:
            raise unexpected(element)

    def _features_came(self, element: Element) -> None:
        """The header's `from` is looked at only now: before an error it may be anybody (RFC 6120 §4.9.1.3)."""
        sender, wrong = self._server
        if wrong is not None or (sender is not None and sender.text != self.domain):
            raise StreamError("invalid-from", f"the server says that it isn't {self.domain}")
        self._move(Peer.CHOICE)
        self._seen = element
        self.emit(FeaturesSeen(element))
        self._begin(0)

    def _begin(self, start: int) -> None:
        """Give the features from this place in the order on their turn, until one has something to do."""
        for feature in self._features[start:]:
            outcome = feature.begin(self, self._seen)
            if outcome is not None:
                self._settle(feature, outcome)
                return
        known = {offer for feature in self._features for offer in feature.offers}
        for offer in self._seen.elements():
            if offer.child("required") is not None and (offer.name, offer.ns) not in known:
                raise StreamError("unsupported-feature", f"<{offer.name}/> is required and not known here")
        self._move(Outcome.DONE)
        self._features = ()
        self.emit(Ready())

    def _settle(self, feature: ClientFeature, outcome: Outcome) -> None:
        self._move(outcome)
        self._active = feature if outcome in (Outcome.TURN, Outcome.ASK) else None
        if outcome is Outcome.RESTART:
            self._restart(self.limits)
        elif outcome is Outcome.NEXT:
            self._begin(self._features.index(feature) + 1)
        elif outcome is Outcome.END:
            self._end()

    def _redirected(self, error: StreamError) -> Event:
        if error.condition == "see-other-host" and (place := _place(error.detail)) is not None:
            return SeeOtherHost(*place)
        return Failed(error, received=True)

    def _write_header(self) -> None:
        """Who we are is private until TLS is there (RFC 6120 §4.7.1)."""
        attributes = {"to": self.domain, "version": "1.0", XML_LANG: self._lang}
        credentials = self.policy.credentials
        if self.security is not None and credentials is not None and credentials.username:
            attributes["from"] = f"{credentials.username}@{self.domain}"
        self._out.append(self._framing.header(attributes, self._content))
        self._opened = True


def _place(text: str) -> tuple[str, int | None] | None:
    """Host and port of `domainpart` or `domainpart:port`; None for what is neither."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text.strip(), ""
    elif not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        return None
    try:
        jid = JID(host)
    except AddressError:
        return None
    return (jid.domain, int(port) if port else None) if jid.text == jid.domain else None
