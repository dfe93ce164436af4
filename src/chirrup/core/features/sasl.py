"""Authentication by SASL in the profile of RFC 6120 §6, with channel binding types as of XEP-0440.

The mechanisms themselves are in `core.sasl`. `offered` and `Attempts`, which say what a connection may try and how
often, are not bound to this profile's elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    Token,
)
from chirrup.core.jid import JID
from chirrup.core.sasl import ScramKeys
from chirrup.core.stanza import SASL as NS
from chirrup.core.stanza import read_failure, write_failure
from chirrup.core.states import SASL, SASL_EXCHANGE, Outcome, Word
from chirrup.core.xml import Element

CHANNEL_BINDING: Final = "urn:xmpp:sasl-cb:0"
XEPS: Final = ((440, "1.0.0", ""),)
_END_POINT: Final = "tls-server-end-point"


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
class NeedTokens(Event):
    """Answer by `tokens(…)`, none for a user that doesn't exist; or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    client: str
    """The id of the client's installation."""
    mechanism: str
    """What the token must be good for."""


@dataclass(frozen=True, slots=True)
class NeedSaltedPassword(Event):
    """To a client that doesn't derive its keys on the spot: answer by `salted(need.derive())`, which is slow and may be
    done by a thread."""

    algorithm: str
    salt: bytes
    iterations: int
    derive: Callable[[], bytes] = field(repr=False, compare=False)


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


@dataclass(frozen=True, slots=True)
class Barred:
    """An answer about credentials, and why the attempt fails even so: told only to who has shown to be the user."""

    answer: object
    error: SASLError


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
        self._unfit: set[str] = set()
        self._barred: SASLError | None = None
        self._client = ""

    def begin(self, stream: ServerSide, name: str, data: bytes | None) -> sasl.Step:
        """Start with the mechanism that the peer named; `data` is its initial response, if it sent one."""
        names = offered(stream)
        if name not in names:
            protected = stream.security is not None
            known = name in stream.policy.mechanisms
            raise SASLError("encryption-required" if known and not protected else "invalid-mechanism")
        security = stream.security
        identities = security.identities if security else ()
        return self._start(
            sasl.server_mechanism(
                name,
                nonce=stream.make_nonce(),
                offered=names,
                channel_bindings=security.channel_bindings if security else {},
                external_identity=identities[0] if len(identities) == 1 else "",
                confirm=stream.policy.confirm_offers,
            ),
            data,
        )

    def begin_with_token(self, stream: ServerSide, name: str, data: bytes | None, client: str) -> sasl.Step:
        """Start with a mechanism for tokens that the connection has the channel binding for; `client` is the id of the
        client's installation."""
        self._client = client
        return self._start(sasl.TokenServer(name, stream.security.channel_bindings if stream.security else {}), data)

    def _start(self, machine: sasl.ServerMechanism, data: bytes | None) -> sasl.Step:
        self.username = self._barred = None
        self._machine = machine
        return machine.step(data)

    @property
    def machine(self) -> sasl.ServerMechanism:
        if self._machine is None:
            raise LocalProtocolError("no authentication is under way")
        return self._machine

    def answer(self, answer: object) -> sasl.Step:
        """Take the program's answer to what the last step asked."""
        if isinstance(answer, SASLError):
            raise answer
        if isinstance(answer, Barred):
            self._barred, answer = answer.error, answer.answer
        machine = self.machine
        if isinstance(answer, ScramKeys):
            return machine.keys(answer)
        if isinstance(answer, bool):
            return machine.verified(answer)
        if isinstance(answer, tuple) and isinstance(machine, sasl.TokenServer):
            return machine.tokens(answer)
        raise LocalProtocolError("credentials are answered by ScramKeys, a bool, tokens or a SASLError")

    def question(self, stream: ServerSide, step: sasl.Step) -> Event | None:
        """What to ask the program before this step can be taken, if anything."""
        match step:
            case sasl.NeedKeys(username, algorithm):
                return NeedKeys(self._prepare(stream, username), algorithm)
            case sasl.NeedPassword(username, password):
                return NeedPassword(self._prepare(stream, username), password)
            case sasl.NeedIdentity(authzid):
                return NeedIdentity(authzid)
            case sasl.NeedTokens(username, mechanism):
                return NeedTokens(self._prepare(stream, username), self._client, mechanism)
        return None

    def identify(self, stream: ServerSide, success: sasl.Success) -> Identity:
        """Who authenticated. Only a certificate may speak for more than one identity (RFC 6120 §6.3.8)."""
        if self._barred is not None:
            raise self._barred
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
        stream.failures += 1
        return stream.failures > stream.policy.auth_retries

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
            raise too_many()
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
            raise too_many()
        return Outcome.AGAIN


def too_many() -> StreamError:
    return StreamError("policy-violation", "too many failed attempts to authenticate")


# -- the client's end


class Login:
    """How a client authenticates: which mechanism, and its exchange. Not bound to the elements of one profile."""

    def __init__(self) -> None:
        self.account: JID | None = None
        """Whom the credentials are for, if they say."""
        self._offered: tuple[str, ...] = ()
        self._announced: tuple[str, ...] | None = None
        self._machine: sasl.ClientMechanism | None = None

    def look(self, features: Element, mechanisms: Element) -> tuple[str, ...]:
        """Take in what the server offers: its mechanisms."""
        self._offered = tuple(mechanism.text.strip() for mechanism in mechanisms.elements("mechanism", mechanisms.ns))
        announced = features.child("sasl-channel-binding", CHANNEL_BINDING)
        self._announced = None if announced is None else tuple(kind.get("type") for kind in announced.elements())
        return self._offered

    @property
    def machine(self) -> sasl.ClientMechanism:
        if self._machine is None:
            raise StreamError("not-authorized", "the server answers where nothing was said")
        return self._machine

    def begin(self, stream: ClientSide, credentials: Credentials, *, strict: bool) -> bytes | None:
        """Start with the strongest mechanism that credentials and connection allow: its initial response. `strict` for
        a profile in which whoever offers channel binding also says of which types (XEP-0440 §4, rule 4).

        Raises SASLError where the credentials can't be used, StreamError where the server's offer can't."""
        bindings = self._common_bindings(stream, strict)
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
        ours = stream.security.channel_bindings if stream.security else {}
        suspect = bool(ours) and not bindings and _END_POINT not in (self._announced or (_END_POINT,))
        if suspect and not name.startswith("SCRAM-"):
            raise StreamError("policy-violation", "no channel binding type that every server must have")
        if not name.endswith("-PLUS") and self._plus_offered:
            bindings = {}
        try:
            self.account = account_of(credentials, stream.domain)
            self._machine = sasl.client_mechanism(
                name,
                username=self.account.local if self.account else "",
                password=credentials.password,
                nonce=stream.make_nonce(),
                channel_bindings=bindings,
                authzid=credentials.authzid,
                advertised=sasl.Advertised(self._offered, self._announced, suspect),
                salted_passwords=credentials.salted_passwords,
            )
        except ValueError as error:
            raise SASLError("malformed-request", str(error)) from None
        return self._machine.initial()

    def begin_with_token(self, stream: ClientSide, credentials: Credentials, token: Token) -> bytes | None:
        """Start with a token. Raises SASLError where it can't be used."""
        try:
            self.account = account_of(credentials, stream.domain)
            self._machine = sasl.TokenClient(
                token.mechanism,
                username=self.account.local if self.account else "",
                token=token.secret,
                channel_bindings=stream.security.channel_bindings if stream.security else {},
            )
        except ValueError as error:
            raise SASLError("malformed-request", str(error)) from None
        return self._machine.initial()

    @property
    def _plus_offered(self) -> bool:
        return any(name.endswith("-PLUS") for name in self._offered)

    def _common_bindings(self, stream: ClientSide, strict: bool) -> Mapping[str, bytes]:
        """Our channel binding data of the types that the server knows, by XEP-0440's business rules
        3 to 7, of which XEP-0474 §10 changes the sixth."""
        ours = stream.security.channel_bindings if stream.security else {}
        if not ours or not (self._announced or self._plus_offered):
            return ours
        if not self._plus_offered:
            raise StreamError("policy-violation", "channel binding types without a mechanism for them")
        if strict and not self._announced:
            raise StreamError("policy-violation", "mechanisms for channel binding, and no types of it")
        announced = self._announced or (_END_POINT,)
        return {kind: data for kind, data in ours.items() if kind in announced}


class ClientSASL(ClientFeature):
    """Uses the strongest mechanism that the credentials and the connection allow, and no other: to fall back after a
    failure would be to let an impostor choose."""

    offers = frozenset({("mechanisms", NS), ("sasl-channel-binding", CHANNEL_BINDING)})
    takes = frozenset({("challenge", NS), ("success", NS), ("failure", NS)})

    def __init__(self) -> None:
        self._exchange = _Exchange()
        self._login = Login()
        self._username: str | None = None

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.identity is not None:
            return None
        mechanisms = features.child("mechanisms", NS)
        if mechanisms is None:
            raise StreamError("unsupported-feature", "the server offers no way to authenticate")
        offered = self._login.look(features, mechanisms)
        if stream.policy.credentials is None:
            stream.emit(NeedCredentials(offered))
            return Outcome.ASK
        return self._begin(stream, stream.policy.credentials)

    def answer(self, stream: ClientSide, answer: object) -> Outcome:
        if isinstance(answer, bytes):
            return self._respond(stream, self._login.machine.salted(answer))
        if not isinstance(answer, Credentials):
            raise LocalProtocolError("a client authenticates with Credentials")
        return self._begin(stream, answer)

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        word = Word(element.name)
        machine = self._login.machine
        if not self._exchange.may(word):
            raise StreamError("not-authorized", f"this isn't the time for <{word.value}/>")
        self._exchange.say(word)
        if word is Word.FAILURE:
            return self._failed(stream, read_failure(element))
        try:
            data = sasl.decode_base64(element.text) if element.text else None
            if word is Word.CHALLENGE:
                response = salted(stream, machine.respond(data or b""), machine.salted)
                return Outcome.ASK if response is None else self._respond(stream, response)
            machine.finish(data)
        except SASLError as error:
            raise untrusted(error) from None
        return self._succeed(stream, machine.name)

    def _begin(self, stream: ClientSide, credentials: Credentials) -> Outcome:
        self._username = credentials.username or None
        try:
            data = self._login.begin(stream, credentials, strict=False)
        except SASLError as error:
            return self._failed(stream, error)
        self._exchange.say(Word.AUTH)
        name = self._login.machine.name
        stream.write(Element("auth", NS, None if data is None else sasl.encode_base64(data), mechanism=name))
        return Outcome.TURN

    def _respond(self, stream: ClientSide, data: bytes) -> Outcome:
        self._exchange.say(Word.RESPONSE)
        stream.write(Element("response", NS, sasl.encode_base64(data) if data else None))
        return Outcome.TURN

    def _succeed(self, stream: ClientSide, mechanism: str) -> Outcome:
        account = self._login.account
        username = account.local if account else ""
        stream.identity = Identity(username, account, mechanism)
        stream.emit(Authenticated(username, str(account or ""), mechanism))
        return Outcome.RESTART

    def _failed(self, stream: ClientSide, error: SASLError) -> Outcome:
        stream.emit(AuthFailed(self._username, error.condition, error.text))
        return Outcome.ASK


def salted(stream: ClientSide, need: bytes | sasl.NeedSaltedPassword, go_on: Callable[[bytes], bytes]) -> bytes | None:
    """What `go_on` makes of the salted password that is needed, if any is; None where the program was asked for it."""
    if isinstance(need, bytes):
        return need
    if stream.policy.derive_keys:
        return go_on(need.derive())
    stream.emit(NeedSaltedPassword(need.algorithm, need.salt, need.iterations, need.derive))
    return None


def account_of(credentials: Credentials, domain: str) -> JID | None:
    """Whom the credentials are for, if they say. AddressError, a ValueError, where that is nobody."""
    if credentials.authzid:
        return JID(credentials.authzid)
    return JID.of(credentials.username, domain) if credentials.username else None


def untrusted(error: SASLError) -> StreamError:
    """How the stream ends with a server that isn't the one that it says."""
    return StreamError("not-authorized", f"the server can't be trusted: {error}")
