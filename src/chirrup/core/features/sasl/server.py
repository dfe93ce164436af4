"""The server's end. `offered` and `Attempts`, which say what a connection may try and how often, are not bound to this
profile's elements."""

from __future__ import annotations

from collections.abc import Iterable

from chirrup.core import sasl
from chirrup.core.errors import AddressError, LocalProtocolError, SASLError, StreamError
from chirrup.core.features import Event, Identity, ServerFeature, ServerSide
from chirrup.core.features.sasl.events import (
    Authenticated,
    AuthFailed,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    NeedTokens,
)
from chirrup.core.features.sasl.exchange import CHANNEL_BINDING, NS, Exchange
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import ScramKeys
from chirrup.core.stanza import write_failure
from chirrup.core.states import SASL, Outcome, Word
from chirrup.core.xml import Element


@record
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


class ServerSASL(ServerFeature):
    takes = frozenset({("auth", NS), ("response", NS), ("abort", NS)})

    def __init__(self) -> None:
        self._attempts = Attempts()
        self._exchange = Exchange()

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
        self._exchange = Exchange()
        stream.write(write_failure(error))
        stream.emit(AuthFailed(self._attempts.username, error.condition, error.text))
        if self._attempts.failed(stream):
            raise too_many()
        return Outcome.AGAIN


def too_many() -> StreamError:
    return StreamError("policy-violation", "too many failed attempts to authenticate")
