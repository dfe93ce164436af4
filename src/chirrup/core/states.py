"""Which step may follow which while a stream is negotiated: tables, and nothing else.

A stream at either end is in one `State`. A signal moves it: something the peer did (`Peer`), something our own
program did (`Own`), or how a feature's turn ended (`Outcome`). A signal that a state's row lacks is illegal there:
when it is the peer's, the stream ends with the error in `PEER_FAULTS`; when it is our own, `LocalProtocolError` is
raised.

    server:  HEADER ─ DECISION ─ FEATURES ─┬─ EXCHANGE / QUESTION ─┬─ HEADER (restart) … READY
    client:  HEADER ─────────── FEATURES ─┴─ HANDSHAKE (STARTTLS) ┘

The exchange of SASL has rules of its own (RFC 6120 §6.4) and so tables of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class Mark(Enum):
    """The base of all that the tables below are made of. A member is itself and nothing else, as its hash says, which
    is Python's own for enumerations by name, and slow: tables are looked into some seventy times a log-in."""

    __hash__ = object.__hash__


class State(Mark):
    """Where the negotiation of a stream stands."""

    HEADER = auto()
    """The peer's stream header is awaited."""
    DECISION = auto()
    """The peer's header is here and our side must say whether it serves that host (server)."""
    FEATURES = auto()
    """Features were sent and the peer chooses (server); they are awaited (client)."""
    EXCHANGE = auto()
    """A feature is being negotiated, and it is the peer's turn."""
    QUESTION = auto()
    """A feature asked our own side something."""
    HANDSHAKE = auto()
    """The connection belongs to TLS."""
    READY = auto()
    """Negotiated: what follows are stanzas."""
    CLOSING = auto()
    """We closed our half; the peer's is still open."""
    CLOSED = auto()


class Peer(Mark):
    """What the peer did."""

    HEADER = auto()
    """Sent its stream header."""
    CHOICE = auto()
    """Sent the first element of a feature's exchange (to a server), or its features (to a client)."""
    TURN = auto()
    """Sent an element to the feature whose exchange is running."""
    REPLY = auto()
    """Answered an IQ that our program sent before authentication."""
    CLOSE = auto()
    """Sent the closing tag."""


class Own(Mark):
    """What our own program did."""

    ACCEPT = auto()
    """Chose the host that serves the stream."""
    ANSWER = auto()
    """Answered a feature's question."""
    SECURED = auto()
    """Completed the TLS handshake."""
    CLOSE = auto()
    FAIL = auto()
    """Ended the stream with an error, or received one."""


class Outcome(Mark):
    """How a feature's turn ended."""

    AGAIN = auto()
    """Nothing changed: the features that were sent still hold."""
    TURN = auto()
    """The peer's turn in this feature's exchange."""
    ASK = auto()
    """Our own side was asked, in an event."""
    SECURE = auto()
    """A TLS handshake begins at the next octet, and a new stream after it (RFC 6120 §5.4.3.3)."""
    RESTART = auto()
    """A new stream begins at the next octet (RFC 6120 §4.3.3)."""
    ADVANCE = auto()
    """Negotiated, without a restart: new features follow."""
    NEXT = auto()
    """Negotiated, and what else was offered still holds (client)."""
    DONE = auto()
    """Nothing is left to negotiate."""
    END = auto()
    """The stream closes, without an error."""


Signal = Peer | Own | Outcome
Table = Mapping[State, Mapping[Signal, State]]

_ENDS: Final[Mapping[Signal, State]] = {Own.CLOSE: State.CLOSING, Own.FAIL: State.CLOSED, Peer.CLOSE: State.CLOSED}

_OUTCOMES: Final[Mapping[Signal, State]] = {
    Outcome.AGAIN: State.FEATURES,
    Outcome.TURN: State.EXCHANGE,
    Outcome.ASK: State.QUESTION,
    Outcome.SECURE: State.HANDSHAKE,
    Outcome.RESTART: State.HEADER,
    Outcome.ADVANCE: State.FEATURES,
    Outcome.NEXT: State.FEATURES,
    Outcome.DONE: State.READY,
    Outcome.END: State.CLOSED,
}

_SHARED: Final[Table] = {
    State.EXCHANGE: {Peer.TURN: State.EXCHANGE, **_OUTCOMES, **_ENDS},
    State.HANDSHAKE: {Own.SECURED: State.HEADER, Own.CLOSE: State.CLOSED, Own.FAIL: State.CLOSED},
    State.READY: _ENDS,
    State.CLOSING: {Own.FAIL: State.CLOSED, Peer.CLOSE: State.CLOSED},
    State.CLOSED: {},
}

SERVER: Final[Table] = {
    **_SHARED,
    State.HEADER: {Peer.HEADER: State.DECISION, **_ENDS},
    State.DECISION: {Own.ACCEPT: State.FEATURES, **_ENDS},
    State.FEATURES: {Peer.CHOICE: State.FEATURES, **_OUTCOMES, **_ENDS},
    State.QUESTION: {Own.ANSWER: State.QUESTION, **_OUTCOMES, **_ENDS},
}

CLIENT: Final[Table] = {
    **_SHARED,
    State.HEADER: {Peer.HEADER: State.FEATURES, **_ENDS},
    State.FEATURES: {Peer.CHOICE: State.FEATURES, **_OUTCOMES, **_ENDS},
    State.QUESTION: {Own.ANSWER: State.QUESTION, Peer.REPLY: State.QUESTION, **_OUTCOMES, **_ENDS},
}

SERVER_PAUSES: Final = frozenset({State.DECISION, State.QUESTION, State.HANDSHAKE, State.READY})
"""States in which a server reads nothing more: its own side acts next."""

CLIENT_PAUSES: Final = frozenset({State.HANDSHAKE, State.READY})
"""The same for a client, which goes on reading while its program thinks about an answer."""

PEER_FAULTS: Final[Mapping[Signal, tuple[str, str]]] = {
    Peer.CHOICE: ("not-authorized", "this isn't the time for that"),
    Peer.TURN: ("not-authorized", "this isn't the time for that"),
    Peer.REPLY: ("not-authorized", "nothing was asked"),
}
"""The stream error, as condition and text, that ends a stream whose peer did something out of order."""


class SASL(Mark):
    """Where an authentication exchange stands (RFC 6120 §6.4)."""

    IDLE = auto()
    """None runs."""
    CHALLENGE = auto()
    """Begun; the server's word is next. At the server: its program was asked for what it needs to say it."""
    RESPONSE = auto()
    """The server has sent a challenge; the client's word is next."""
    OVER = auto()
    """Authenticated."""


class Word(Mark):
    """What is said in an authentication exchange, by the names of the elements."""

    AUTH = "auth"
    RESPONSE = "response"
    ABORT = "abort"
    CHALLENGE = "challenge"
    SUCCESS = "success"
    FAILURE = "failure"


SASL_EXCHANGE: Final[Mapping[SASL, Mapping[Word, SASL]]] = {
    SASL.IDLE: {Word.AUTH: SASL.CHALLENGE, Word.ABORT: SASL.CHALLENGE},
    SASL.CHALLENGE: {Word.CHALLENGE: SASL.RESPONSE, Word.SUCCESS: SASL.OVER, Word.FAILURE: SASL.IDLE},
    SASL.RESPONSE: {
        Word.RESPONSE: SASL.CHALLENGE,
        Word.AUTH: SASL.CHALLENGE,
        Word.ABORT: SASL.CHALLENGE,
    },
    SASL.OVER: {},
}
"""One table for both ends: each sees the same exchange. A new <auth/> may replace one that runs, and an <abort/>
is answered even when nothing runs."""


class SASL2(Mark):
    """Where an authentication exchange stands in the profile of XEP-0388 (§2)."""

    IDLE = auto()
    """None runs."""
    CHALLENGE = auto()
    """The server's word is next, or its program's."""
    RESPONSE = auto()
    """The server has sent a challenge; the client's word is next."""
    CHOICE = auto()
    """The mechanism has succeeded, and tasks are left for the client to choose from."""
    TASK = auto()
    """A task runs; the server's word is next, or its program's."""
    TASK_RESPONSE = auto()
    """A task runs; the client's word is next."""
    OVER = auto()
    """Authenticated."""
    LOST = auto()
    """A task failed: there is no other attempt (§7.4)."""


class Said(Mark):
    """What is said in such an exchange: names of elements, apart for either end where both have one of that name."""

    AUTHENTICATE = "authenticate"
    RESPONSE = "response"
    ABORT = "abort"
    NEXT = "next"
    TASK_RESPONSE = "task-data of the client"
    CHALLENGE = "challenge"
    SUCCESS = "success"
    FAILURE = "failure"
    CONTINUE = "continue"
    TASK_DATA = "task-data of the server"


SASL2_EXCHANGE: Final[Mapping[SASL2, Mapping[Said, SASL2]]] = {
    SASL2.IDLE: {Said.AUTHENTICATE: SASL2.CHALLENGE},
    SASL2.CHALLENGE: {
        Said.CHALLENGE: SASL2.RESPONSE,
        Said.SUCCESS: SASL2.OVER,
        Said.CONTINUE: SASL2.CHOICE,
        Said.FAILURE: SASL2.IDLE,
    },
    SASL2.RESPONSE: {Said.RESPONSE: SASL2.CHALLENGE, Said.ABORT: SASL2.CHALLENGE},
    SASL2.CHOICE: {Said.NEXT: SASL2.TASK, Said.ABORT: SASL2.TASK},
    SASL2.TASK: {
        Said.TASK_DATA: SASL2.TASK_RESPONSE,
        Said.SUCCESS: SASL2.OVER,
        Said.CONTINUE: SASL2.CHOICE,
        Said.FAILURE: SASL2.LOST,
    },
    SASL2.TASK_RESPONSE: {Said.TASK_RESPONSE: SASL2.TASK, Said.ABORT: SASL2.TASK},
    SASL2.OVER: {},
    SASL2.LOST: {},
}
"""One table for both ends, as for RFC 6120's profile; but here nothing may replace an exchange that runs."""
