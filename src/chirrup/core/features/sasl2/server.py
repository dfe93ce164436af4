"""The receiving entity's half of XEP-0388."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from chirrup.core import sasl
from chirrup.core.errors import LocalProtocolError, SASLError, StreamError
from chirrup.core.features import Event, Identity, ServerFeature, ServerSide, Token, UserAgent, bind2, fast, upgrade
from chirrup.core.features.bind2 import BindWish
from chirrup.core.features.fast import TokenUse
from chirrup.core.features.sasl import Attempts, Authenticated, AuthFailed, offered, too_many
from chirrup.core.features.sasl2.elements import (
    NS,
    Exchange,
    data_in,
    decode_data,
    encode_data,
    read_user_agent,
    write_continue,
    write_failure,
)
from chirrup.core.features.upgrade import Upgrade
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.core.sasl import ScramKeys, TokenServer
from chirrup.core.sasl.hashed_token import NAMES, usable
from chirrup.core.states import Outcome, Said
from chirrup.core.xml import Element

_SAID: Final = {
    "authenticate": Said.AUTHENTICATE,
    "response": Said.RESPONSE,
    "abort": Said.ABORT,
    "next": Said.NEXT,
    "task-data": Said.TASK_RESPONSE,
}
_OURS: Final = frozenset({NS, bind2.NS, fast.NS, upgrade.NS})
_PASSWORD: Final = ("SCRAM-", "PLAIN")
"""How mechanisms begin by which a client shows that it has the password, which alone lets it give new keys."""


@record
class NeedUpgrades(Event):
    """A user who has shown the password would give keys of these hash functions. Answer by `upgrades(…)`: those that
    the account lacks; or by `reject(error)`."""

    username: str
    algorithms: tuple[str, ...]


@record
class SessionRequest(Event):
    """A peer has authenticated: what it asked for along with that. Answer by `granted(…)`, or by `reject(error)`, which
    fails the attempt. In this order: keys and tokens are durable, a former session goes on or not, and only where it
    doesn't a resource is bound (XEP-0386 §3.2)."""

    identity: Identity
    user_agent: UserAgent | None = None
    bind: BindWish | None = None
    """None where it will bind its resource by a request of its own."""
    inline: tuple[Element, ...] = ()
    """Other requests (`<resume/>`), which are answered in `granted(inline=…)`."""
    token: TokenUse | None = None
    """The token by which it has authenticated."""
    wants_token: str = ""
    """The mechanism for which it would like a new token; "" for none. At `token`'s end of life it may be given one
    without asking."""
    new_keys: tuple[ScramKeys, ...] = field(default=(), repr=False)
    """Keys of its password that it gave."""


@record
class Granted:
    """What becomes of a `SessionRequest`."""

    jid: JID | None = None
    """The full JID that is bound, or that a former session has; None where there is no resource yet."""
    bound: tuple[Element, ...] | None = None
    """What the features that were switched on while binding have to say; None where nothing was bound."""
    inline: tuple[Element, ...] = ()
    token: Token | None = None
    guest: JID | None = None
    """The bare JID of an anonymous user who has no resource yet, to whom it is told at once."""


@dataclass(slots=True)
class _Request:
    """An `<authenticate/>`, but for the mechanism's data."""

    user_agent: UserAgent | None = None
    bind: BindWish | None = None
    inline: tuple[Element, ...] = ()
    token_use: tuple[int | None, bool] | None = None
    wants_token: str = ""
    upgrades: tuple[str, ...] = ()


class ServerSASL2(ServerFeature):
    """Only under TLS (§8). Mechanisms are the same as in RFC 6120's profile, and for tokens those of `fast`."""

    takes = frozenset((name, NS) for name in _SAID)

    def __init__(self) -> None:
        self._attempts = Attempts()
        self._exchange = Exchange()
        self._request = _Request()
        self._answer: Callable[[ServerSide, object], Outcome] = self._answer_mechanism
        self._identity: Identity | None = None
        self._data: bytes | None = None  # what the mechanism sends with its success, until it is sent
        self._upgrades: list[Upgrade] = []
        self._new_keys: list[ScramKeys] = []

    # -- what is offered

    def offer(self, stream: ServerSide) -> Iterable[Element]:
        names = self._mechanisms(stream)
        if not names:
            return
        policy = stream.policy
        inline = Element("inline", NS, bind2.offer(policy.bind_inline), *policy.inline)
        if policy.tokens and stream.security:
            inline.append(fast.offer(stream.security.channel_bindings))
        authentication = Element("authentication", NS, *[Element("mechanism", "", name) for name in names], inline)
        for element in upgrade.write(policy.upgrades):
            authentication.append(element)
        yield authentication

    def needed(self, stream: ServerSide) -> bool:
        return stream.identity is None

    def _mechanisms(self, stream: ServerSide) -> tuple[str, ...]:
        return offered(stream) if stream.policy.sasl2 and stream.security is not None else ()

    def _token_mechanisms(self, stream: ServerSide) -> tuple[str, ...]:
        if not self._mechanisms(stream) or not stream.policy.tokens or stream.security is None:
            return ()
        return usable(NAMES, stream.security.channel_bindings)

    # -- what comes

    def handle(self, stream: ServerSide, element: Element) -> Outcome:
        """§2.4: whatever isn't due ends the stream; §7.4: so does an attempt after success or the first task."""
        said = _SAID[element.name]
        if stream.identity is not None or not self._exchange.may(said):
            raise StreamError("not-authorized", f"this isn't the time for <{element.name}/>")
        self._exchange.say(said)
        try:
            return self._hear(stream, said, element)
        except SASLError as error:
            return self._fail(stream, error)

    def answer(self, stream: ServerSide, answer: object) -> Outcome:
        try:
            if isinstance(answer, SASLError):
                raise answer
            return self._answer(stream, answer)
        except SASLError as error:
            return self._fail(stream, error)

    def _hear(self, stream: ServerSide, said: Said, element: Element) -> Outcome:
        match said:
            case Said.AUTHENTICATE:
                return self._reply(stream, self._begin(stream, element))
            case Said.RESPONSE:
                return self._reply(stream, self._attempts.machine.step(decode_data(element)))
            case Said.NEXT:
                return self._begin_task(stream, element)
            case Said.TASK_RESPONSE:
                return self._end_task(stream, element)
        raise SASLError("aborted")

    def _begin(self, stream: ServerSide, element: Element) -> sasl.Step:
        self._answer = self._answer_mechanism
        name, data = element.get("mechanism"), data_in(element, "initial-response")
        tokens = self._token_mechanisms(stream)
        self._request = request = _read_request(element, tokens)
        if not self._mechanisms(stream):
            raise SASLError("encryption-required")
        if name not in tokens:
            if request.token_use is not None:
                raise SASLError("invalid-mechanism", "that mechanism takes no tokens")
            return self._attempts.begin(stream, name, data)
        if request.token_use is None or request.user_agent is None or not request.user_agent.id:
            raise SASLError("malformed-request", "to use a token takes <fast/>, and a <user-agent/> with an id")
        return self._attempts.begin_with_token(stream, name, data, request.user_agent.id)

    # -- the mechanism

    def _answer_mechanism(self, stream: ServerSide, answer: object) -> Outcome:
        return self._reply(stream, self._attempts.answer(answer))

    def _reply(self, stream: ServerSide, step: sasl.Step) -> Outcome:
        question = self._attempts.question(stream, step)
        if question is not None:
            return self._ask(stream, question, self._answer_mechanism)
        if isinstance(step, sasl.Challenge):
            self._exchange.say(Said.CHALLENGE)
            stream.write(Element("challenge", NS, encode_data(step.data)))
            return Outcome.TURN
        if not isinstance(step, sasl.Success):
            raise LocalProtocolError(f"{step!r} is no step of an exchange")
        return self._proved(stream, step)

    def _ask(self, stream: ServerSide, question: Event, then: Callable[[ServerSide, object], Outcome]) -> Outcome:
        self._answer = then
        stream.emit(question)
        return Outcome.ASK

    def _proved(self, stream: ServerSide, success: sasl.Success) -> Outcome:
        identity = self._attempts.identify(stream, success)
        if stream.sender and identity.account and stream.sender.bare != identity.account:
            raise SASLError("invalid-authzid", "who authenticated isn't who the stream's header is from")  # §2.3
        self._identity, self._data = identity, success.data
        self._upgrades, self._new_keys = [], []
        wanted = tuple(name for name in self._request.upgrades if name in stream.policy.upgrades)
        if wanted and identity.mechanism.startswith(_PASSWORD):
            return self._ask(stream, NeedUpgrades(identity.username, wanted), self._answer_upgrades)
        return self._request_session(stream)

    # -- tasks

    def _answer_upgrades(self, stream: ServerSide, answer: object) -> Outcome:
        if not isinstance(answer, tuple) or not all(isinstance(item, Upgrade) for item in answer):
            raise LocalProtocolError("upgrades are answered by a tuple of Upgrade")
        self._upgrades = list(answer)
        return self._go_on(stream)

    def _go_on(self, stream: ServerSide) -> Outcome:
        """The next task, or the end."""
        if not self._upgrades:
            return self._request_session(stream)
        self._exchange.say(Said.CONTINUE)
        data, self._data = self._data, None
        stream.write(write_continue(data, [upgrade.task(self._upgrades[0].algorithm)]))
        return Outcome.TURN

    def _begin_task(self, stream: ServerSide, element: Element) -> Outcome:
        due = self._upgrades[0]
        if element.get("task") != upgrade.task(due.algorithm):
            raise SASLError("malformed-request", "that task isn't due")
        self._exchange.say(Said.TASK_DATA)
        stream.write(Element("task-data", NS, upgrade.salt(due)))
        return Outcome.TURN

    def _end_task(self, stream: ServerSide, element: Element) -> Outcome:
        self._new_keys.append(upgrade.read_hashed(element, self._upgrades.pop(0)))
        return self._go_on(stream)

    # -- the end

    def _request_session(self, stream: ServerSide) -> Outcome:
        identity, request = self._identity, self._request
        assert identity is not None
        event = SessionRequest(
            identity,
            request.user_agent,
            request.bind,
            request.inline,
            self._token_use(),
            request.wants_token,
            tuple(self._new_keys),
        )
        return self._ask(stream, event, self._answer_session)

    def _token_use(self) -> TokenUse | None:
        machine, use = self._attempts.machine, self._request.token_use
        if not isinstance(machine, TokenServer) or use is None or machine.proven is None:
            return None
        return TokenUse(machine.name, machine.proven, *use)

    def _answer_session(self, stream: ServerSide, answer: object) -> Outcome:
        identity = self._identity
        if not isinstance(answer, Granted) or identity is None:
            raise LocalProtocolError("a request for a session is answered by Granted or a SASLError")
        if answer.guest is not None:
            identity = replace(identity, account=answer.guest)
        self._exchange.say(Said.SUCCESS)
        stream.write(_success(identity, answer, self._data))
        stream.identity = identity
        stream.jid = "" if answer.jid is None else answer.jid.text
        stream.trust()
        stream.emit(Authenticated(identity.username, str(identity.account or ""), identity.mechanism))
        # A former session goes on at once, without new features (XEP-0198 §9.2).
        return Outcome.DONE if answer.jid is not None and answer.bound is None else Outcome.ADVANCE

    def _fail(self, stream: ServerSide, error: SASLError) -> Outcome:
        self._exchange.say(Said.FAILURE)
        stream.write(write_failure(error))
        stream.emit(AuthFailed(self._attempts.username, error.condition, error.text))
        if self._attempts.failed(stream):
            raise too_many()
        return Outcome.AGAIN


def _read_request(element: Element, tokens: tuple[str, ...]) -> _Request:
    """Raises SASLError."""
    bind = element.child("bind", bind2.NS)
    used = element.child("fast", fast.NS)
    wanted = element.child("request-token", fast.NS)
    agent = read_user_agent(element)
    return _Request(
        agent,
        None if bind is None else bind2.read_wish(bind),
        tuple(child for child in element.elements() if child.ns not in _OURS)[: bind2.MAX_WISHES],
        None if used is None else fast.read_use(used),
        fast.read_request(wanted, tokens) if wanted is not None and agent and agent.id else "",
        upgrade.read(element),
    )


def _success(identity: Identity, granted: Granted, data: bytes | None) -> Element:
    """§2.6.1: the bare JID, or the full one where there is a resource."""
    success = Element("success", NS)
    if data is not None:
        success.append(Element("additional-data", NS, encode_data(data)))
    success.c("authorization-identifier").t(str(granted.jid or identity.account or ""))
    for answer in granted.inline:
        success.append(answer)
    if granted.bound is not None:
        success.append(bind2.bound(granted.bound))
    if granted.token is not None:
        success.append(fast.given(granted.token))
    return success
