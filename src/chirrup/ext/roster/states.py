"""The states of a subscription, and how subscription stanzas change them: RFC 6121, Appendix A."""

from __future__ import annotations

import enum
from typing import Final

from chirrup.core.record import record


class State(enum.Enum):
    """What there is between a user and a contact, from the user's perspective (A.1).

    Its value is the subscription, with "+out" when the user's request is pending and "+in" when the contact's is.
    """

    NONE = "none"
    NONE_OUT = "none+out"
    NONE_IN = "none+in"
    NONE_OUT_IN = "none+out+in"
    TO = "to"
    TO_IN = "to+in"
    FROM = "from"
    FROM_OUT = "from+out"
    BOTH = "both"

    def __init__(self, value: str) -> None:
        self.subscription, *pending = value.split("+")
        self.receives = self.subscription in ("to", "both")
        """Whether the user sees the contact's presence."""
        self.shares = self.subscription in ("from", "both")
        """Whether the contact sees the user's presence."""
        self.pending_out = "out" in pending
        self.pending_in = "in" in pending


@record
class Step:
    """What a subscription stanza brings about in one state."""

    state: State
    """The state after it."""
    passed: bool = False
    """Whether the stanza goes on: outbound it is routed, inbound it is delivered."""
    approves: bool = False
    """Whether it is an approval of a request that hasn't come yet (§3.4)."""
    reply: str = ""
    """The type of presence that the server answers with on the user's behalf."""


def _go(state: State, reply: str = "") -> Step:
    return Step(state, passed=True, reply=reply)


def _stay(state: State, reply: str = "") -> Step:
    return Step(state, reply=reply)


def _approve(state: State) -> Step:
    return Step(state, approves=True)


NONE, NONE_OUT, NONE_IN, NONE_OUT_IN = State.NONE, State.NONE_OUT, State.NONE_IN, State.NONE_OUT_IN
TO, TO_IN, FROM, FROM_OUT, BOTH = State.TO, State.TO_IN, State.FROM, State.FROM_OUT, State.BOTH

OUTBOUND: Final[dict[str, dict[State, Step]]] = {
    "subscribe": {
        NONE: _go(NONE_OUT),
        NONE_OUT: _go(NONE_OUT),
        NONE_IN: _go(NONE_OUT_IN),
        NONE_OUT_IN: _go(NONE_OUT_IN),
        TO: _go(TO),
        TO_IN: _go(TO_IN),
        FROM: _go(FROM_OUT),
        FROM_OUT: _go(FROM_OUT),
        BOTH: _go(BOTH),
    },
    "unsubscribe": {
        NONE: _go(NONE),
        NONE_OUT: _go(NONE),
        NONE_IN: _go(NONE_IN),
        NONE_OUT_IN: _go(NONE_IN),
        TO: _go(NONE),
        TO_IN: _go(NONE_IN),
        FROM: _go(FROM),
        FROM_OUT: _go(FROM),
        BOTH: _go(FROM),
    },
    "subscribed": {
        NONE: _approve(NONE),
        NONE_OUT: _approve(NONE_OUT),
        NONE_IN: _go(FROM),
        NONE_OUT_IN: _go(FROM_OUT),
        TO: _approve(TO),
        TO_IN: _go(BOTH),
        FROM: _stay(FROM),
        FROM_OUT: _stay(FROM_OUT),
        BOTH: _stay(BOTH),
    },
    "unsubscribed": {
        NONE: _stay(NONE),
        NONE_OUT: _stay(NONE_OUT),
        NONE_IN: _go(NONE),
        NONE_OUT_IN: _go(NONE_OUT),
        TO: _stay(TO),
        TO_IN: _go(TO),
        FROM: _go(NONE),
        FROM_OUT: _go(NONE_OUT),
        BOTH: _go(TO),
    },
}
"""What the user sends, by type and state (A.2)."""

INBOUND: Final[dict[str, dict[State, Step]]] = {
    "subscribe": {
        NONE: _go(NONE_IN),
        NONE_OUT: _go(NONE_OUT_IN),
        NONE_IN: _stay(NONE_IN),
        NONE_OUT_IN: _stay(NONE_OUT_IN),
        TO: _go(TO_IN),
        TO_IN: _stay(TO_IN),
        FROM: _stay(FROM, "subscribed"),
        FROM_OUT: _stay(FROM_OUT, "subscribed"),
        BOTH: _stay(BOTH, "subscribed"),
    },
    "unsubscribe": {
        NONE: _stay(NONE),
        NONE_OUT: _stay(NONE_OUT),
        NONE_IN: _go(NONE, "unsubscribed"),
        NONE_OUT_IN: _go(NONE_OUT, "unsubscribed"),
        TO: _stay(TO),
        TO_IN: _go(TO, "unsubscribed"),
        FROM: _go(NONE, "unsubscribed"),
        FROM_OUT: _go(NONE_OUT, "unsubscribed"),
        BOTH: _go(TO, "unsubscribed"),
    },
    "subscribed": {
        NONE: _stay(NONE),
        NONE_OUT: _go(TO),
        NONE_IN: _stay(NONE_IN),
        NONE_OUT_IN: _go(TO_IN),
        TO: _stay(TO),
        TO_IN: _stay(TO_IN),
        FROM: _stay(FROM),
        FROM_OUT: _go(BOTH),
        BOTH: _stay(BOTH),
    },
    "unsubscribed": {
        NONE: _stay(NONE),
        NONE_OUT: _go(NONE),
        NONE_IN: _stay(NONE_IN),
        NONE_OUT_IN: _go(NONE_IN),
        TO: _go(NONE),
        TO_IN: _go(NONE_IN),
        FROM: _stay(FROM),
        FROM_OUT: _go(FROM),
        BOTH: _go(FROM),
    },
}
"""What comes from the contact, by type and state (A.3)."""


def approved_beforehand(state: State) -> State:
    """The state once a request that was approved before it came has come (A.3.1, note 1)."""
    return OUTBOUND["subscribed"][INBOUND["subscribe"][state].state].state


def removed(state: State) -> tuple[str, ...]:
    """What the contact is sent when the user takes the contact out of the roster (§2.5.2).

    A request that is pending is withdrawn, or denied, as a subscription is."""
    ended = ("unsubscribe",) if state.receives or state.pending_out else ()
    return (*ended, "unsubscribed") if state.shares or state.pending_in else ended
