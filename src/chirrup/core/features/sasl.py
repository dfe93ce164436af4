"""Authentication by SASL in the profile of RFC 6120 §6, with channel binding types as of XEP-0440.

The mechanisms themselves are in `core.sasl`. `offered` and `Attempts`, which say what a connection may try and how
often, are not bound to this profile's elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from chirrup.core import sasl
from chirrup.core.errors import AddressError, LocalProtocolError, SASLError, StreamError
from chirrup.core.features import (
    ClientFeature,
    ClientSide,
    Credentials,
    Event,
    Identity,
    ServerFeature,
    ServerSide,
)
from chirrup.core.jid import JID
from chirrup.core.sasl import ScramKeys
from chirrup.core.stanza import SASL as NS
from chirrup.core.stanza import read_failure, write_failure
from chirrup.core.states import SASL, SASL_EXCHANGE, Outcome, Word
from chirrup.core.xml import Element

CHANNEL_BINDING: Final = "urn:xmpp:sasl-cb:0"
XEPS: Final = ((440, "1.0.0", ""),)


# -- events


@dataclass(frozen=True, slots=True)
class NeedKeys(Event):
    """Answer by `keys(…)`, for a user that doesn't exist by decoys; or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    algorithm: str


@dataclass(frozen=True, slots=True)
class NeedPassword(Event):
    """Answer by `verified(…)`, or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NeedIdentity(Event):
    """May the peer, with the certificate that it has, act as this identity? Answer by `verified(…)`, or by
    `reject(error)`."""

    authzid: str
    """As the peer sent it; "" where the certificate has one address and the peer is content with that."""


@dataclass(frozen=True, slots=True)
class NeedCredentials(Event):
    """To a client without credentials: the server is ready to authenticate it. Answer by `authenticate(…)`; before
    that, `send(iq)` may register an account."""

    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authenticated(Event):
    """The initiating entity is who it says; at a client: and the server has proved what the mechanism lets it."""

    username: str
    """"" for an anonymous user."""
    authzid: str
    """The bare JID (for servers, the domain) that the stream acts for, canonical; "" as long as there is none."""
    mechanism: str


@dataclass(frozen=True, slots=True)
class AuthFailed(Event):
    """An attempt failed. A server that wants to slow down guessing holds back what `take()` gives; a
    client may try other credentials by `authenticate(…)`, or close."""

    username: str | None
    """None where it went wrong before there was one."""
    condition: str
    text: str = ""


# -- the server's end


def offered(stream: ServerSide) -> tuple[str, ...]:
    """The mechanisms that the peer may use now (RFC 6120 §6.3.4)."""
    if not stream.may_authenticate:
        return ()
    security = stream.security
    return tuple(
        name
        for name in stream.policy.mechanisms
        if (not name.endswith("-PLUS") or (security and security.channel_bindings))
        and (name != "PLAIN" or security)
        and (name != "EXTERNAL" or (security and security.identities))
    )


class Attempts:
    """A connection's attempts to authenticate. Each method that takes an exchange forward returns its next step
    and raises SASLError when the attempt failed."""

    def __init__(self) -> None:
        self.username: str | None = None
        self._machine: sasl.ServerMechanism | None = None
        self._failures = 0
        self._unfit: set[str] = set()

    def begin(self, stream: ServerSide, name: str, data: bytes | None) -> sasl.Step:
        """Start with the mechanism that the peer named; `data` is its initial response, if it sent one."""
        self.username = None
        names = offered(stream)
        if name not in names:
            protected = stream.security is not None
            known = name in stream.policy.mechanisms
            raise SASLError("encryption-required" if known and not protected else "invalid-mechanism")
        security = stream.security
        identities = security.identities if security else ()
        self._machine = sasl.server_mechanism(
            name,
            nonce=stream.make_nonce(),
            offered=names,
            channel_bindings=security.channel_bindings if security else {},
            external_identity=identities[0] if len(identities) == 1 else "",
            confirm=stream.policy.confirm_offers,
        )
        return self._machine.step(data)

    @property
    def machine(self) -> sasl.ServerMechanism:
        if self._machine is None:
            raise LocalProtocolError("no authentication is under way")
        return self._machine

    def answer(self, answer: object) -> sasl.Step:
        """Take the program's answer to what the last step asked."""
        if isinstance(answer, SASLError):
            raise answer
        if isinstance(answer, ScramKeys):
            return self.machine.keys(answer)
        if isinstance(answer, bool):
            return self.machine.verified(answer)
        raise LocalProtocolError("credentials are answered by ScramKeys, a bool or a SASLError")

    def question(self, stream: ServerSide, step: sasl.Step) -> Event | None:
        """What to ask the program before this step can be taken, if anything."""
        match step:
            case sasl.NeedKeys(username, algorithm):
                return NeedKeys(self._prepare(stream, username), algorithm)
            case sasl.NeedPassword(username, password):
                return NeedPassword(self._prepare(stream, username), password)
            case sasl.NeedIdentity(authzid):
                return NeedIdentity(authzid)
        return None

    def identify(self, stream: ServerSide, success: sasl.Success) -> Identity:
        """Who authenticated. Only a certificate may speak for more than one identity (RFC 6120 §6.3.8)."""
        name, asked = self.machine.name, success.authzid
        try:
            if name == "EXTERNAL":
                account = JID(asked or success.username)
                return Identity(account.local, account, name)
            if not success.username:
                return Identity("", None, name)
            account = JID.of(success.username, stream.policy.domain)
            if asked and JID(asked) != account:
                raise SASLError("invalid-authzid", "nobody acts for another here")
        except AddressError as error:
            raise SASLError("invalid-authzid", str(error)) from None
        return Identity(account.local, account, name)

    def failed(self, stream: ServerSide) -> bool:
        """Count a failure; whether it was the last one (RFC 6120 §6.4.5).

        It doesn't count the first time that a mechanism fails with nobody named yet: nothing was guessed, and whether
        channel binding works is what some clients find out only by trying."""
        machine, self._machine = self._machine, None
        if machine is not None and self.username is None and machine.name not in self._unfit:
            self._unfit.add(machine.name)
            return False
        self._failures += 1
        return self._failures > stream.policy.auth_retries

    def _prepare(self, stream: ServerSide, username: str) -> str:
        try:
            self.username = JID.of(username, stream.policy.domain).local
        except AddressError:
            raise SASLError("not-authorized") from None  # like any other name that nobody has
        return self.username


class _Exchange:
    """Where an exchange stands, by the table; common to both ends."""

    def __init__(self) -> None:
        self.state = SASL.IDLE

    def may(self, word: Word) -> bool:
        return word in SASL_EXCHANGE[self.state]

    def say(self, word: Word) -> None:
        self.state = SASL_EXCHANGE[self.state][word]


class ServerSASL(ServerFeature):
    takes = frozenset({("auth", NS), ("response", NS), ("abort", NS)})

    def __init__(self) -> None:
        self._attempts = Attempts()
        self._exchange = _Exchange()

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        names = offered(stream)
        if names:
            yield Element("mechanisms", NS, *[Element("mechanism", "", name) for name in names])
        if stream.security and any(name.endswith("-PLUS") for name in names):
            types = [Element("channel-binding", type=kind) for kind in stream.security.channel_bindings]
            yield Element("sasl-channel-binding", CHANNEL_BINDING, *types)

    def needed(self, stream: ServerSide) -> bool:
        return stream.identity is None

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        if stream.identity is not None:
            raise StreamError("not-authorized", "a stream is authenticated once")
        try:
            return self._reply(stream, self._hear(stream, Word(element.name), element))
        except SASLError as error:
            return self._fail(stream, error)

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        try:
            return self._reply(stream, self._attempts.answer(answer))
        except SASLError as error:
            return self._fail(stream, error)

    def _hear(self, stream: ServerSide, word: Word, element: Element) -> sasl.Step:
        if word is Word.AUTH and self._exchange.state is not SASL.IDLE and self._attempts.failed(stream):
            raise _too_many()
        if not self._exchange.may(word):
            raise SASLError("malformed-request", f"this isn't the time for <{word.value}/>")
        self._exchange.say(word)
        if word is Word.ABORT:
            raise SASLError("aborted")
        data = sasl.decode_base64(element.text) if element.text else None
        if word is Word.AUTH:
            return self._attempts.begin(stream, element.get("mechanism"), data)
        return self._attempts.machine.step(data or b"")

    def _reply(self, stream: ServerSide, step: sasl.Step) -> Outcome:
        question = self._attempts.question(stream, step)
        if question is not None:
            stream.emit(question)
            return Outcome.ASK
        if isinstance(step, sasl.Challenge):
            self._exchange.say(Word.CHALLENGE)
            stream.write(Element("challenge", NS, sasl.encode_base64(step.data) if step.data else None))
            return Outcome.TURN
        if not isinstance(step, sasl.Success):
            raise LocalProtocolError(f"{step!r} is no step of an exchange")
        return self._succeed(stream, step)

    def _succeed(self, stream: ServerSide, success: sasl.Success) -> Outcome:
        identity = self._attempts.identify(stream, success)
        if stream.security and stream.sender and identity.account and stream.sender.bare != identity.account:
            raise StreamError("invalid-from", "who authenticated isn't who the stream's header is from")  # §6.4.6
        self._exchange.say(Word.SUCCESS)
        data = None if success.data is None else sasl.encode_base64(success.data)
        stream.write(Element("success", NS, data))
        stream.identity = identity
        stream.emit(Authenticated(identity.username, str(identity.account or ""), identity.mechanism))
        return Outcome.RESTART

    def _fail(self, stream: ServerSide, error: SASLError) -> Outcome:
        self._exchange = _Exchange()
        stream.write(write_failure(error))
        stream.emit(AuthFailed(self._attempts.username, error.condition, error.text))
        if self._attempts.failed(stream):
            raise _too_many()
        return Outcome.AGAIN


def _too_many() -> StreamError:
    return StreamError("policy-violation", "too many failed attempts to authenticate")


# -- the client's end


class ClientSASL(ClientFeature):
    """Uses the strongest mechanism that the credentials and the connection allow, and no other: to fall back after a
    failure would be to let an impostor choose."""

    offers = frozenset({("mechanisms", NS), ("sasl-channel-binding", CHANNEL_BINDING)})
    takes = frozenset({("challenge", NS), ("success", NS), ("failure", NS)})

    def __init__(self) -> None:
        self._exchange = _Exchange()
        self._offered: tuple[str, ...] = ()
        self._announced: frozenset[str] = frozenset()
        self._machine: sasl.ClientMechanism | None = None
        self._credentials = Credentials()
        self._account: JID | None = None

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.identity is not None:
            return None
        mechanisms = features.child("mechanisms", NS)
        if mechanisms is None:
            raise StreamError("unsupported-feature", "the server offers no way to authenticate")
        self._offered = tuple(mechanism.text.strip() for mechanism in mechanisms.elements("mechanism"))
        announced = features.child("sasl-channel-binding", CHANNEL_BINDING)
        self._announced = frozenset(kind.get("type") for kind in announced.elements()) if announced else frozenset()
        if stream.policy.credentials is None:
            stream.emit(NeedCredentials(self._offered))
            return Outcome.ASK
        return self._begin(stream, stream.policy.credentials)

    def answer(self, stream: ClientSide, answer: object) -> Outcome:
        if not isinstance(answer, Credentials):
            raise LocalProtocolError("a client authenticates with Credentials")
        return self._begin(stream, answer)

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        word = Word(element.name)
        if self._machine is None or not self._exchange.may(word):
            raise StreamError("not-authorized", f"this isn't the time for <{word.value}/>")
        self._exchange.say(word)
        if word is Word.FAILURE:
            return self._failed(stream, read_failure(element))
        try:
            data = sasl.decode_base64(element.text) if element.text else None
            if word is Word.CHALLENGE:
                response = self._machine.respond(data or b"")
                if isinstance(response, sasl.NeedSaltedPassword):
                    response = self._machine.salted(response.derive())
                return self._respond(stream, response)
            self._machine.finish(data)
        except SASLError as error:
            raise StreamError("not-authorized", f"the server can't be trusted: {error}") from None
        return self._succeed(stream, self._machine.name)

    def _begin(self, stream: ClientSide, credentials: Credentials) -> Outcome:
        self._credentials = credentials
        bindings = self._common_bindings(stream)
        allowed = self._offered if credentials.mechanisms is None else credentials.mechanisms
        names = sasl.choose(
            [name for name in self._offered if name in allowed],
            tls=stream.security is not None,
            channel_bindings=bindings,
            have=credentials.kinds,
        )
        name = next(iter(names), None)
        if name is None:
            raise StreamError("unsupported-feature", f"no safe way to authenticate among {', '.join(self._offered)}")
        if not name.endswith("-PLUS") and self._plus_offered:
            bindings = {}
        try:
            self._account = _account(credentials, stream.domain)
            self._machine = sasl.client_mechanism(
                name,
                username=self._account.local if self._account else "",
                password=credentials.password,
                nonce=stream.make_nonce(),
                channel_bindings=bindings,
                authzid=credentials.authzid,
                salted_passwords=credentials.salted_passwords,
            )
        except ValueError as error:
            return self._failed(stream, SASLError("malformed-request", str(error)))
        self._exchange.say(Word.AUTH)
        data = self._machine.initial()
        stream.write(Element("auth", NS, None if data is None else sasl.encode_base64(data), mechanism=name))
        return Outcome.TURN

    @property
    def _plus_offered(self) -> bool:
        return any(name.endswith("-PLUS") for name in self._offered)

    def _common_bindings(self, stream: ClientSide) -> Mapping[str, bytes]:
        """Our channel binding data of the types that the server knows, by XEP-0440's business rules
        3 to 7."""
        ours = stream.security.channel_bindings if stream.security else {}
        if not ours or not (self._announced or self._plus_offered):
            return ours
        if not self._plus_offered:
            raise StreamError("policy-violation", "channel binding types without a mechanism for them")
        announced = self._announced or {"tls-server-end-point"}
        common = {kind: data for kind, data in ours.items() if kind in announced}
        if not common and "tls-server-end-point" not in announced:
            raise StreamError("policy-violation", "no channel binding type that every server must have")
        return common

    def _respond(self, stream: ClientSide, data: bytes) -> Outcome:
        self._exchange.say(Word.RESPONSE)
        stream.write(Element("response", NS, sasl.encode_base64(data) if data else None))
        return Outcome.TURN

    def _succeed(self, stream: ClientSide, mechanism: str) -> Outcome:
        account = self._account
        username = account.local if account else ""
        stream.identity = Identity(username, account, mechanism)
        stream.emit(Authenticated(username, str(account or ""), mechanism))
        return Outcome.RESTART

    def _failed(self, stream: ClientSide, error: SASLError) -> Outcome:
        stream.emit(AuthFailed(self._credentials.username or None, error.condition, error.text))
        return Outcome.ASK


def _account(credentials: Credentials, domain: str) -> JID | None:
    """Whom the credentials are for, if they say. AddressError, a ValueError, where that is nobody."""
    if credentials.authzid:
        return JID(credentials.authzid)
    return JID.of(credentials.username, domain) if credentials.username else None
