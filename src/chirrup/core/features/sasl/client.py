"""The client's end. `Login` is not bound to this profile's elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from chirrup.core import sasl
from chirrup.core.errors import LocalProtocolError, SASLError, StreamError
from chirrup.core.features import ClientFeature, ClientSide, Credentials, Identity, Token
from chirrup.core.features.sasl.events import Authenticated, AuthFailed, NeedCredentials, NeedSaltedPassword
from chirrup.core.features.sasl.exchange import CHANNEL_BINDING, NS, Exchange
from chirrup.core.jid import JID
from chirrup.core.stanza import read_failure
from chirrup.core.states import Outcome, Word
from chirrup.core.xml import Element

_END_POINT: Final = "tls-server-end-point"


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
            [name for name in self._offered if name in allowed and not (name == "PLAIN" and credentials.without_plain)],
            tls=stream.security is not None,
            channel_bindings=bindings,
            have=credentials.kinds,
        )
        name = next(iter(names), None)
        if name is None and credentials.username and credentials.kinds == ("anonymous",):
            raise SASLError("not-authorized", "no password is given, and the server wants one")
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
        3 to 7, of which XEP-0474 §7 changes the sixth."""
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
        self._exchange = Exchange()
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
