"""The receiving entity's end of a stream (RFC 6120 §4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chirrup.core.errors import AddressError, LocalProtocolError, SASLError, StanzaError, StreamError
from chirrup.core.features import Event, HostPolicy, Security, ServerFeature
from chirrup.core.features.bind import ServerBind
from chirrup.core.features.early import ServerEarlyIQ
from chirrup.core.features.limits import ServerLimits
from chirrup.core.features.resume.server import Refusal, Resumption, ServerResume
from chirrup.core.features.sasl import Barred, ServerSASL
from chirrup.core.features.sasl2 import Granted, ServerSASL2
from chirrup.core.features.session import ServerSession
from chirrup.core.features.starttls import ServerStartTLS
from chirrup.core.features.upgrade import Upgrade
from chirrup.core.framing import TCP_FRAMING, Framing
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.record import record
from chirrup.core.sasl import KnownToken, ScramKeys
from chirrup.core.states import SERVER, SERVER_PAUSES, Outcome, Own, Peer
from chirrup.core.stream.base import VERSION, Ready, Stream, check_version, sender_of, unexpected
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element

SERVER_FEATURES: Final[tuple[Callable[[], ServerFeature], ...]] = (
    ServerStartTLS,
    ServerEarlyIQ,
    ServerSASL2,
    ServerSASL,
    ServerBind,
    ServerResume,
    ServerSession,
    ServerLimits,
)
"""What a server negotiates with its clients, in the order of XEP-0170."""
XEPS: Final = ((170, "1.0", ""),)


@record
class Opened(Event):
    """To a server: a stream header, the first or one after a restart. Answer by `accept(policy)` or `fail(error)`."""

    to: str
    """The domain that is asked for, canonical."""
    sender: JID | None
    """Who says it is; not to be trusted before authentication."""
    lang: str
    """The default xml:lang of the peer's stanzas, as it was sent; "" when it wasn't."""
    version: str


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
        content: str = CLIENT,
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
        self.failures = 0
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

    def keys(self, keys: ScramKeys, *, barred: SASLError | None = None) -> list[Event]:
        """Answer `NeedKeys`; `barred` is why the user can't log in even with the right password."""
        return self.answer(keys if barred is None else Barred(keys, barred))

    def verified(self, accepted: bool) -> list[Event]:
        """Answer `NeedPassword` or `NeedIdentity`."""
        return self.answer(accepted)

    def tokens(self, tokens: Iterable[KnownToken], *, barred: SASLError | None = None) -> list[Event]:
        """Answer `NeedTokens`; `barred` as for `keys`."""
        return self.answer(tuple(tokens) if barred is None else Barred(tuple(tokens), barred))

    def upgrades(self, upgrades: Iterable[Upgrade]) -> list[Event]:
        """Answer `NeedUpgrades`: the keys to ask for."""
        return self.answer(tuple(upgrades))

    def granted(self, granted: Granted) -> list[Event]:
        """Answer `SessionRequest`."""
        return self.answer(granted)

    def reject(self, error: SASLError) -> list[Event]:
        """Answer any question about credentials, or `SessionRequest`, with another failure than the usual one."""
        return self.answer(error)

    def bound(self, jid: JID) -> list[Event]:
        """Answer `BindRequest` with the full JID that the client has from now on."""
        return self.answer(jid)

    def resumed(self, jid: JID, handled: int) -> list[Event]:
        """Answer `ResumeRequest` with the full JID that the client has again, and how many of its stanzas the session
        has handled."""
        return self.answer(Resumption(jid, handled))

    def not_resumed(self, error: StanzaError, handled: int | None = None) -> list[Event]:
        """Answer `ResumeRequest` with an error; the client may bind a resource. A count tells it of a session that is
        over."""
        return self.answer(Refusal(error, handled))

    def refuse(self, error: StanzaError) -> list[Event]:
        """Answer `BindRequest` or `EarlyIQ` with an error; the client may try again."""
        return self.answer(error)

    def send(self, iq: Element) -> list[Event]:
        """Answer `EarlyIQ`."""
        return self.answer(iq)

    # -- for features

    def trust(self) -> None:
        """The parser begins anew with other limits inside the same stream: it stands between two elements."""
        self.parser.limits = self.policy.limits
        self.parser.rest()

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
        self.sender, wrong = sender_of(header)
        self._framing.check_header(header, self.parser.prefixes, self._content)
        check_version(header)
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

    def _answered(self, answer: object) -> None:
        feature = self._active
        assert feature is not None
        self._settle(feature, feature.answer(self, answer))

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
        security = self.security
        tls = security and (tuple(security.channel_bindings), bool(security.identities))
        depends_on = (
            tuple(map(type, self._features)), type(self._framing), self.limits.stanza_bytes, self.may_authenticate,
            self.identity is None, bool(self.jid), tls,
        )  # fmt: skip
        written = self.policy.written.get(depends_on)
        if written is None:
            written = self.policy.written[depends_on] = self._framing.element(self._offers())
        self._out.append(written)
        if not any(feature.needed(self) for feature in self._features):
            self._be_ready()

    def _offers(self) -> Element:
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
        return features

    def _write_header(self) -> None:
        attributes = {"from": self.policy.domain, "id": self.make_id()}
        if self.sender is not None:
            attributes["to"] = self.sender.bare.text
        if self._version is not None:
            attributes["version"] = self._version
        attributes[XML_LANG] = self._reply_lang
        self._out.append(self._framing.header(attributes, self._content))
        self._opened = True


def _version_of(header: Element) -> str | None:
    """What the header that answers this one says: the lower of the two versions, none if there was none."""
    match = VERSION.fullmatch(header.get("version"))
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
