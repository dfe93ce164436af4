"""The initiating entity's half of XEP-0388."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

from chirrup.core.errors import AddressError, LocalProtocolError, SASLError, StreamError
from chirrup.core.features import ClientFeature, ClientSide, Credentials, Event, Identity, Token, bind2, fast, upgrade
from chirrup.core.features.bind import Bound
from chirrup.core.features.sasl import Authenticated, AuthFailed, Login, NeedCredentials, salted, untrusted
from chirrup.core.features.sasl2.elements import (
    NS,
    Exchange,
    data_in,
    decode_data,
    encode_data,
    read_error,
    read_tasks,
    write_user_agent,
)
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import NeedSaltedPassword, check_iterations, prepare_password
from chirrup.core.sasl.hashed_token import usable
from chirrup.core.states import Outcome, Said
from chirrup.core.xml import Element

_SAID: Final = {
    "challenge": Said.CHALLENGE,
    "success": Said.SUCCESS,
    "failure": Said.FAILURE,
    "continue": Said.CONTINUE,
    "task-data": Said.TASK_DATA,
}
_PASSING: Final = "temporary-auth-failure"
"""The one failure after which a token is still good."""


@record
class TokenReceived(Event):
    """To a client: to log in with the next time, in place of any token before. As secret as a password."""

    token: Token


@record
class TokenRefused(Event):
    """To a client: its token is good for nothing any more. What other credentials there are is tried next."""

    condition: str


class ClientInline:
    """What a client's feature asks for along with its log-in: one for each feature that wants to."""

    ns: ClassVar[str]

    def ask(self, stream: ClientSide, offer: Element) -> Element | None:
        """What to ask for beside `<bind/>`; `offer` is what the server has in `<inline/>` of this namespace."""
        return None

    def ask_to_bind(self, stream: ClientSide) -> Element | None:
        """What to ask for within `<bind/>`, whose server knows this namespace there."""
        return None

    def answered(self, stream: ClientSide, answer: Element) -> None:
        """Take an answer that stands beside `<bound/>`. One to whom a former session is given sets `stream.jid`."""

    def bound(self, stream: ClientSide, answers: Sequence[Element]) -> None:
        """A resource is bound: the answers within `<bound/>`, where this was asked for there."""


@record
class _Offer:
    """What a server has in its `<authentication/>` besides mechanisms."""

    inline: tuple[Element, ...]
    bind: frozenset[str] | None
    tokens: tuple[str, ...]
    upgrades: tuple[str, ...]


class ClientSASL2(ClientFeature):
    """Uses it wherever it is offered under TLS. A token comes first; after it the rule of `ClientSASL`: the strongest
    mechanism, and no other."""

    offers = frozenset({("authentication", NS)})
    takes = frozenset((name, NS) for name in _SAID)

    def __init__(self, inline: Sequence[ClientInline] = ()) -> None:
        self._inline = inline
        self._exchange = Exchange()
        self._login = Login()
        self._offer = _Offer((), None, (), ())
        self._credentials = Credentials()
        self._hurried = False
        self._finished = False  # whether the server has shown that it is the one it says
        self._token: Token | None = None  # the one in use
        self._token_for = ""  # the mechanism of a token that may come
        self._asked: list[ClientInline] = []  # those who asked for something within <bind/>
        self._wished: frozenset[str] = frozenset()  # all that was asked for there
        self._upgrades: tuple[str, ...] = ()  # what was wished for and is still to do
        self._task = ""
        self._answer: Callable[[ClientSide, bytes], Outcome] = self._respond

    def hurry(self, stream: ClientSide) -> None:
        """With a token, and with the server's offer of the last time, log in in the first breath."""
        remembered, credentials = stream.policy.remembered, stream.policy.credentials
        if remembered is None or credentials is None or not self._look(stream, remembered):
            return
        token = self._usable_token(stream, credentials)
        if token is not None:
            self._hurried = self._begin_with_token(stream, credentials, token) is Outcome.TURN

    def begin(self, stream: ClientSide, features: Element) -> Outcome | None:
        if stream.identity is not None:
            return None
        offered = self._look(stream, features)
        if self._hurried:
            if not offered:
                raise StreamError("unsupported-feature", "the server doesn't offer any more what it offered before")
            return Outcome.TURN
        if not offered:
            return None
        if stream.policy.credentials is None:
            stream.emit(NeedCredentials(offered))
            return Outcome.ASK
        return self._begin(stream, stream.policy.credentials)

    def _look(self, stream: ClientSide, features: Element) -> tuple[str, ...]:
        """The mechanisms offered; none where the whole of it isn't, or not for us."""
        authentication = features.child("authentication", NS)
        if authentication is None or stream.security is None or not stream.policy.sasl2:
            return ()
        inline = authentication.child("inline", NS)
        elements = () if inline is None else tuple(inline.elements())
        bind = next((element for element in elements if (element.name, element.ns) == ("bind", bind2.NS)), None)
        tokens = next((element for element in elements if (element.name, element.ns) == ("fast", fast.NS)), None)
        self._offer = _Offer(
            elements,
            None if bind is None else bind2.read_offer(bind),
            () if tokens is None else fast.read_offer(tokens),
            upgrade.read(authentication),
        )
        return self._login.look(features, authentication)

    # -- the request

    def answer(self, stream: ClientSide, answer: object) -> Outcome:
        if isinstance(answer, bytes):
            return self._answer(stream, answer)
        if not isinstance(answer, Credentials):
            raise LocalProtocolError("a client authenticates with Credentials")
        return self._begin(stream, answer)

    def _begin(self, stream: ClientSide, credentials: Credentials) -> Outcome:
        token = self._usable_token(stream, credentials)
        if token is not None:
            return self._begin_with_token(stream, credentials, token)
        return self._begin_without(stream, credentials)

    def _usable_token(self, stream: ClientSide, credentials: Credentials) -> Token | None:
        """The token, where the server takes such, the connection allows it and we have the id that belongs to it."""
        token, agent = credentials.token, stream.policy.user_agent
        bindings = stream.security.channel_bindings if stream.security else {}
        if token is None or agent is None or not agent.id or token.mechanism not in self._offer.tokens:
            return None
        return token if usable([token.mechanism], bindings) else None

    def _begin_with_token(self, stream: ClientSide, credentials: Credentials, token: Token) -> Outcome:
        self._credentials, self._token = credentials, token
        try:
            data = self._login.begin_with_token(stream, credentials, token)
        except SASLError as error:
            return self._failed(stream, error)
        return self._authenticate(stream, data, [fast.use()])

    def _begin_without(self, stream: ClientSide, credentials: Credentials) -> Outcome:
        self._credentials, self._token = credentials, None
        if not credentials.kinds:
            return self._failed(stream, SASLError("credentials-expired", "the server takes no such token"))
        try:
            data = self._login.begin(stream, credentials, strict=True)
        except SASLError as error:
            return self._failed(stream, error)
        self._upgrades = self._wanted_upgrades(stream)
        return self._authenticate(stream, data, [*upgrade.write(self._upgrades), *self._token_request(stream)])

    def _wanted_upgrades(self, stream: ClientSide) -> tuple[str, ...]:
        """Keys are as good as the password to who listens, so only channel binding lets us tell them (XEP-0480 §7)."""
        name = self._login.machine.name
        if not stream.policy.upgrade_keys or not (name.startswith("SCRAM-") and name.endswith("-PLUS")):
            return ()
        return tuple(algorithm for algorithm in self._offer.upgrades if name != f"SCRAM-{algorithm}-PLUS")

    def _token_request(self, stream: ClientSide) -> Iterable[Element]:
        agent = stream.policy.user_agent
        bindings = stream.security.channel_bindings if stream.security else {}
        names = usable(self._offer.tokens, bindings)
        if stream.policy.want_token and agent is not None and agent.id and names:
            self._token_for = names[0]
            yield fast.request(names[0])

    def _authenticate(self, stream: ClientSide, data: bytes | None, more: Iterable[Element]) -> Outcome:
        self._exchange.say(Said.AUTHENTICATE)
        self._finished = False
        element = Element("authenticate", NS, mechanism=self._login.machine.name)
        if data is not None:
            element.append(Element("initial-response", NS, encode_data(data)))
        if stream.policy.user_agent is not None:
            element.append(write_user_agent(stream.policy.user_agent))
        for offer in self._offer.inline:
            for feature in self._inline:
                if feature.ns == offer.ns and (request := feature.ask(stream, offer)) is not None:
                    element.append(request)
        policy = stream.policy
        if self._offer.bind is not None and not policy.resource and policy.reads_archive:
            element.append(bind2.wish(policy.tag, self._wishes(stream, self._offer.bind)))
        for request in more:
            element.append(request)
        stream.write(element)
        return Outcome.TURN

    def _wishes(self, stream: ClientSide, offered: frozenset[str]) -> list[Element]:
        wishes = [wish for wish in stream.policy.bind_inline if wish.ns in offered]
        self._asked = []
        for feature in self._inline:
            if feature.ns in offered and (wish := feature.ask_to_bind(stream)) is not None:
                wishes.append(wish)
                self._asked.append(feature)
        self._wished = frozenset(wish.ns for wish in wishes)
        return wishes

    # -- what the server says

    def handle(self, stream: ClientSide, element: Element) -> Outcome:
        said = _SAID[element.name]
        if not self._exchange.may(said):
            raise StreamError("not-authorized", f"this isn't the time for <{element.name}/>")
        self._exchange.say(said)
        if said is Said.FAILURE:
            return self._failed(stream, read_error(element))
        try:
            match said:
                case Said.CHALLENGE:
                    return self._challenged(stream, decode_data(element))
                case Said.CONTINUE:
                    return self._choose_task(stream, element)
                case Said.TASK_DATA:
                    return self._do_task(stream, element)
            self._finish(element)
        except SASLError as error:
            raise untrusted(error) from None
        return self._succeed(stream, element)

    def _challenged(self, stream: ClientSide, data: bytes) -> Outcome:
        machine = self._login.machine
        self._answer = self._answer_salted
        response = salted(stream, machine.respond(data), machine.salted)
        return Outcome.ASK if response is None else self._respond(stream, response)

    def _answer_salted(self, stream: ClientSide, salted_password: bytes) -> Outcome:
        return self._respond(stream, self._login.machine.salted(salted_password))

    def _respond(self, stream: ClientSide, data: bytes) -> Outcome:
        self._exchange.say(Said.RESPONSE)
        stream.write(Element("response", NS, encode_data(data)))
        return Outcome.TURN

    def _finish(self, element: Element) -> None:
        """Have the server prove itself, with the first of what says that the mechanism has succeeded. Raises
        SASLError."""
        if not self._finished:
            self._login.machine.finish(data_in(element, "additional-data"))
            self._finished = True

    def _failed(self, stream: ClientSide, error: SASLError) -> Outcome:
        """XEP-0484 §5.1: a token that failed is thrown away, and the password tried on the spot."""
        self._hurried = False
        credentials, token = self._credentials, self._token
        if token is not None and error.condition != _PASSING:
            stream.emit(TokenRefused(error.condition))
            if credentials.kinds:
                return self._begin_without(stream, credentials)
        stream.emit(AuthFailed(credentials.username or None, error.condition, error.text))
        return Outcome.ASK

    # -- tasks

    def _choose_task(self, stream: ClientSide, element: Element) -> Outcome:
        self._finish(element)
        tasks = read_tasks(element)
        chosen = next((algorithm for algorithm in self._upgrades if upgrade.task(algorithm) in tasks), None)
        if chosen is None:
            self._exchange.say(Said.ABORT)
            stream.write(Element("abort", NS))
            return Outcome.TURN
        self._task = chosen
        self._upgrades = tuple(algorithm for algorithm in self._upgrades if algorithm != chosen)
        self._exchange.say(Said.NEXT)
        stream.write(Element("next", NS, task=upgrade.task(chosen)))
        return Outcome.TURN

    def _do_task(self, stream: ClientSide, element: Element) -> Outcome:
        wanted = upgrade.read_salt(element, self._task)
        check_iterations(wanted.iterations)
        need = NeedSaltedPassword(
            wanted.algorithm, prepare_password(self._credentials.password), wanted.salt, wanted.iterations
        )
        self._answer = self._give_keys
        salted_password = salted(stream, need, bytes)
        return Outcome.ASK if salted_password is None else self._give_keys(stream, salted_password)

    def _give_keys(self, stream: ClientSide, salted_password: bytes) -> Outcome:
        self._exchange.say(Said.TASK_RESPONSE)
        stream.write(Element("task-data", NS, upgrade.hashed(salted_password)))
        return Outcome.TURN

    # -- success

    def _succeed(self, stream: ClientSide, success: Element) -> Outcome:
        jid, account = self._who(stream, success)
        bound = success.child("bound", bind2.NS)
        if bound is not None and (jid is None or not jid.is_full):
            raise StreamError("improper-addressing", "the server bound a JID without a resource")
        machine = self._login.machine
        stream.identity = Identity(account.local if account else "", account, machine.name)
        stream.emit(Authenticated(account.local if account else "", str(account or ""), machine.name))
        token = success.child("token", fast.NS)
        mechanism = self._token.mechanism if self._token else self._token_for
        if token is not None and (given := fast.read_given(token, mechanism)) is not None:
            stream.emit(TokenReceived(given))
        for answer in success.elements():
            for feature in self._inline:
                if feature.ns == answer.ns:
                    feature.answered(stream, answer)
        if stream.jid:  # a former session goes on at once, without new features (XEP-0198 §9.2)
            return Outcome.DONE
        if bound is not None and jid is not None:
            self._bind(stream, jid, bound)
        return Outcome.ADVANCE

    def _who(self, stream: ClientSide, success: Element) -> tuple[JID | None, JID | None]:
        """Who we are by the server's word, and the bare JID of that; StreamError where it is somebody else."""
        text = success.child_text("authorization-identifier", NS).strip()
        try:
            jid = JID(text) if text else None
        except AddressError as error:
            raise StreamError("improper-addressing", f"the server calls us by no JID: {error}") from None
        expected = self._login.account
        if jid is not None and expected is not None and jid.bare != expected:
            raise StreamError("invalid-from", f"we authenticated as {expected}, not as {jid.bare}")
        return jid, expected if jid is None else jid.bare

    def _bind(self, stream: ClientSide, jid: JID, bound: Element) -> None:
        stream.jid = jid.text
        answers = tuple(bound.elements())
        for feature in self._asked:
            feature.bound(stream, [answer for answer in answers if answer.ns == feature.ns])
        stream.emit(Bound(jid, answers, self._wished))
