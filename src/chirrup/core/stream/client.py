"""The initiating entity's end of a stream (RFC 6120 §4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chirrup.core.errors import AddressError, LocalProtocolError, StreamError
from chirrup.core.features import ClientFeature, ClientPolicy, Credentials, Event, Security
from chirrup.core.features.bind import ClientBind
from chirrup.core.features.early import EarlyIQ
from chirrup.core.features.limits import ClientLimits
from chirrup.core.features.sasl import ClientSASL
from chirrup.core.features.sasl2 import ClientSASL2
from chirrup.core.features.session import ClientSession
from chirrup.core.features.starttls import ClientStartTLS
from chirrup.core.framing import TCP_FRAMING, Framing
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.record import record
from chirrup.core.states import CLIENT, CLIENT_PAUSES, Outcome, Peer, State
from chirrup.core.stream.base import Failed, Ready, Stream, check_version, sender_of, unexpected
from chirrup.core.xml import CLIENT as CLIENT_NS
from chirrup.core.xml import STREAMS, XML_LANG, Element

CLIENT_FEATURES: Final[tuple[Callable[[], ClientFeature], ...]] = (
    ClientLimits,
    ClientStartTLS,
    ClientSASL2,
    ClientSASL,
    ClientBind,
    ClientSession,
)
"""What a client negotiates, in the order of XEP-0170."""


@record
class FeaturesSeen(Event):
    """To a client: what its server offers at this point. Nothing needs to be done."""

    features: Element


@record
class SeeOtherHost(Event):
    """To a client: its server sends it elsewhere, under the conditions of RFC 6120 §4.9.3.19; this stream is over."""

    host: str
    """A domain or an IP address, as the domainpart of a JID."""
    port: int | None


class ClientStream(Stream):
    """The initiating entity's end of a stream under negotiation. Begin with `open()`.

    SCRAM derives keys from the password within `receive`, for as long as the server's number of iterations asks, unless
    the policy says that `NeedSaltedPassword` is to ask for them.
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

    def authenticate(self, credentials: Credentials) -> list[Event]:
        """Answer `NeedCredentials` or `AuthFailed`."""
        return self.answer(credentials)

    def salted(self, salted_password: bytes) -> list[Event]:
        """Answer `NeedSaltedPassword`."""
        return self.answer(salted_password)

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
        check_version(header)
        self._server = sender_of(header)
        self._move(Peer.HEADER)

    def _answered(self, answer: object) -> None:
        feature = self._active
        assert feature is not None
        self._settle(feature, feature.answer(self, answer))

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
        self._be_ready()

    def _be_ready(self) -> None:
        self._move(Outcome.DONE)
        self._features = ()
        self.emit(Ready())

    def _settle(self, feature: ClientFeature, outcome: Outcome) -> None:
        self._active = feature if outcome in (Outcome.TURN, Outcome.ASK) else None
        if outcome is Outcome.DONE:
            self._be_ready()
            return
        self._move(outcome)
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
        if self.security is not None and self.identity is None:
            for feature in self._features:
                feature.hurry(self)


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
