"""What changes a stream while it is negotiated: one file a feature, both ends in it.

A feature is two small classes, `ServerFeature` and `ClientFeature`, whose instances belong to one connection and are
dropped with the rest of the negotiation when the stream is ready. A stream is given its features as a tuple of
classes (or of callables that make them, where they are to be configured) in the order of XEP-0170, so that one more is
one more file. What a feature may see and do is the `ServerSide` or `ClientSide` of its stream; how its turn ended it
says by an `Outcome`.

A feature tells the program what happened by events, and asks it by an event and `Outcome.ASK`; the
program's answer comes to `answer()`. It ends the stream by raising StreamError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import ClassVar, Protocol

from chirrup.core.errors import LocalProtocolError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits
from chirrup.core.record import record
from chirrup.core.sasl import CredentialKind, SaltedPasswords
from chirrup.core.states import Outcome
from chirrup.core.xml import CLIENT, Element

Key = tuple[str, str]
"""What tells a feature's elements apart: name and namespace, or `iq:` and the name of an IQ's payload and its
namespace."""


class Event:
    """Something that a stream tells its program."""

    __slots__ = ()


@record
class Security:
    """What a TLS connection gives the stream inside it."""

    channel_bindings: Mapping[str, bytes] = field(default_factory=dict)
    """Data by channel binding type (`tls-exporter`, `tls-server-end-point`), the preferred type first."""
    server_name: str = ""
    """The host that a client asked for by SNI; stands in for a missing `to` (RFC 6120 §4.7.2)."""
    identities: tuple[str, ...] = ()
    """The addresses in the peer's certificate, if it was verified."""


@record
class UserAgent:
    """A client program as an installation of it describes itself (XEP-0388 §2.3). For its user's eyes only."""

    id: str = ""
    """A UUID that stays the same; "" where it has none."""
    software: str = ""
    device: str = ""


@record
class Token:
    """What a client was given to log in with the next time (XEP-0484)."""

    mechanism: str
    """The only one that it is good for."""
    secret: str = field(repr=False)
    expiry: str = ""
    """By XEP-0082."""


@record
class HostPolicy:
    """What a host asks of those who connect to it, and offers them."""

    domain: str
    mechanisms: tuple[str, ...] = ()
    """SASL mechanisms in order of preference. -PLUS forms are offered where there are channel bindings, PLAIN under
    TLS, EXTERNAL to a verified certificate."""
    confirm_offers: bool = True
    """Whether SCRAM tells clients once more what they were offered, so that they notice if somebody changed it
    (XEP-0474)."""
    sasl2: bool = False
    """Whether the profile of XEP-0388 is offered too, where there is TLS."""
    bind_inline: tuple[str, ...] = ()
    """Namespaces of what can be switched on while a resource is bound (XEP-0386)."""
    inline: tuple[Element, ...] = ()
    """What else can be done while somebody authenticates, as it is advertised (`<sm/>`)."""
    tokens: bool = False
    """Whether clients can be given tokens to log in with the next time (XEP-0484)."""
    upgrades: tuple[str, ...] = ()
    """Hash functions of which SCRAM keys are taken from clients that have others (XEP-0480)."""
    tls: bool = True
    """Whether STARTTLS is offered."""
    tls_required: bool = True
    """Whether nothing but STARTTLS is offered before TLS."""
    languages: tuple[str, ...] = ("en",)
    """Those that errors and other texts are written in, the default first (RFC 6120 §4.7.4)."""
    limits: Limits = field(default_factory=Limits)
    """What an authenticated client may send; before, the stream's own limits hold."""
    idle_seconds: int | None = None
    """After how long without traffic a client may be checked or let go; advertised (XEP-0478)."""
    features_before: tuple[Element, ...] = ()
    """More stream features, for those who may authenticate now (`<register/>`)."""
    features_after: tuple[Element, ...] = ()
    """More stream features, for those who are authenticated (`<ver/>`, `<sub/>`, `<c/>`)."""
    early_iqs: frozenset[str] = frozenset()
    """Namespaces of IQ payloads that are taken before authentication (`jabber:iq:register`)."""
    auth_retries: int = 3
    """Failed attempts after the first that a connection is granted (RFC 6120 §6.4.5: 2 to 5)."""
    bind_retries: int = 5
    """The same for resources (RFC 6120 §7.7.3: 5 to 10)."""
    written: dict[object, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The stream features that were offered under this policy, by what else they depend on: they are written once,
    however many streams there are."""


@record
class Identity:
    """Who authenticated."""

    username: str
    """The authentication identity; "" for one that has no name yet (ANONYMOUS)."""
    account: JID | None
    """The bare JID that the stream acts for; None until an anonymous user is given one, with a resource or before."""
    mechanism: str


class ServerSide(Protocol):
    """What a feature at the receiving end sees of its stream, and does to it."""

    policy: HostPolicy
    security: Security | None
    """None until TLS protects the stream."""
    sender: JID | None
    """`from` of the initiating entity's header."""
    identity: Identity | None
    """None until authenticated."""
    jid: str
    """The full JID once it is bound."""
    make_nonce: Callable[[], str]
    failures: int
    """Attempts to authenticate that failed, of all features together."""

    @property
    def leftover(self) -> bytes:
        """What the peer has sent after the element that is being handled."""

    @property
    def limits(self) -> Limits:
        """What the parser takes at present."""

    @property
    def may_authenticate(self) -> bool:
        """Whether TLS is there, or isn't asked for, and nobody is authenticated."""

    def trust(self) -> None:
        """From its next element on the peer may send what those who are authenticated may."""

    def write(self, element: Element) -> None: ...
    def emit(self, event: Event) -> None: ...


class ServerFeature:
    """The receiving entity's end of a feature, for one connection."""

    takes: ClassVar[frozenset[Key]] = frozenset()
    """The first-level elements that are this feature's."""

    def claims(self, stream: ServerSide, element: Element) -> bool:
        """Whether an element is this feature's, for one that can't say it by `takes`."""
        return key(element) in self.takes

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        """What goes into <stream:features/> at this point, if anything. It depends on nothing but the stream's policy,
        its limits, who has authenticated and bound or hasn't, and which channel bindings and identities TLS brought."""
        return ()

    def needed(self, stream: ServerSide) -> bool:
        """Whether the stream can't be used before this is negotiated (RFC 6120 §4.3.5)."""
        return False

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        """Take one of its elements, whether it was offered or not."""
        raise NotImplementedError

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        """Take the program's answer to what was asked last."""
        raise LocalProtocolError("nothing was asked")


@record
class Credentials:
    """What a client authenticates with: a password, the certificate of its TLS connection, or nothing, which makes
    it anonymous."""

    username: str = ""
    """A localpart, prepared."""
    password: str = field(default="", repr=False)
    certificate: bool = False
    authzid: str = ""
    """The bare JID to act for, where the rest leaves a choice (several addresses in a certificate)."""
    mechanisms: tuple[str, ...] | None = None
    """The only SASL mechanisms to use; None for all that are safe on the connection."""
    without_plain: bool = False
    """Whether PLAIN isn't safe on any: who has used a better way once must not be talked out of it (XEP-0474 §7)."""
    salted_passwords: SaltedPasswords | None = field(default=None, repr=False, compare=False)
    """What saves the slow derivation of keys at the next log-in, as `core.sasl` keeps it."""
    token: Token | None = None
    """What the server gave for the next log-in, tried before the rest."""

    @property
    def kinds(self) -> tuple[CredentialKind, ...]:
        kinds: list[CredentialKind] = []
        if self.certificate:
            kinds.append("external")
        if self.password:
            kinds.append("password")
        return tuple(kinds) or (() if self.token else ("anonymous",))


@record
class ClientPolicy:
    """What a client asks of its server, and wants from it."""

    credentials: Credentials | None = None
    """None to be asked for them, when the server was seen: an account may have to be registered first."""
    resource: str = ""
    """The resource to bind, which takes a request of its own; "" to let the server make one."""
    tls_required: bool = True
    """Whether to go on only under TLS."""
    sasl2: bool = True
    """Whether to use the profile of XEP-0388 where it is offered, and all that it can do at once."""
    user_agent: UserAgent | None = None
    """What to say of ourselves; without an id in it there are neither tokens nor stable resources."""
    tag: str = ""
    """How a resource that the server makes is to begin: the program's name, which all contacts see (XEP-0386)."""
    bind_inline: tuple[Element, ...] = ()
    """What to switch on while the resource is bound, where that is offered (`<enable xmlns='urn:xmpp:carbons:2'/>`)."""
    reads_archive: bool = True
    """Whether somebody will look for what has waited for the account in its archive. The server doesn't deliver that to
    who binds a resource along with the log-in (XEP-0386 §3.2), so it takes a request of its own where nobody does."""
    want_token: bool = False
    """Whether to ask for a token to log in with the next time."""
    upgrade_keys: bool = True
    """Whether to give the server SCRAM keys of more hash functions if it asks for them and nobody can listen
    (XEP-0480)."""
    remembered: Element | None = None
    """The <stream:features/> that this server offered under TLS the last time: with a token, log-in doesn't wait for
    them to come again."""
    derive_keys: bool = True
    """Whether SCRAM's slow derivation of keys is done on the spot; else `NeedSaltedPassword` asks for it."""


class ClientSide(Protocol):
    """What a feature at the initiating end sees of its stream, and does to it."""

    domain: str
    policy: ClientPolicy
    security: Security | None
    identity: Identity | None
    jid: str
    make_id: Callable[[], str]
    make_nonce: Callable[[], str]

    @property
    def leftover(self) -> bytes:
        """What the peer has sent after the element that is being handled."""

    def write(self, element: Element) -> None: ...
    def emit(self, event: Event) -> None: ...


class ClientFeature:
    """The initiating entity's end of a feature, for one connection."""

    offers: ClassVar[frozenset[Key]] = frozenset()
    """The children of <stream:features/> that it understands."""
    takes: ClassVar[frozenset[Key]] = frozenset()
    """The first-level elements that are this feature's."""

    def claims(self, stream: ClientSide, element: Element) -> bool:
        """Whether an element is this feature's, for one that can't say it by `takes`."""
        return key(element) in self.takes

    def hurry(self, stream: ClientSide) -> None:
        """Write what needn't wait for the server's features: its own header was just written, inside TLS."""

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        """Look at the server's <stream:features/> and begin; None where there is nothing to do."""
        return None

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        """Take one of its elements."""
        raise NotImplementedError

    def answer(self, stream: ClientSide, answer: object) -> Outcome:
        """Take the program's answer to what was asked last."""
        raise LocalProtocolError("nothing was asked")


def key(element: Element) -> Key:
    """What decides to which feature a first-level element belongs."""
    if element.name == "iq" and element.ns == CLIENT and (payload := element.first) is not None:
        return f"iq:{payload.name}", payload.ns
    return element.name, element.ns
