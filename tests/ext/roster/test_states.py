"""The state machine against the tables of RFC 6121, Appendix A, every row of them."""

from __future__ import annotations

import pytest

from chirrup.ext.roster.states import INBOUND, OUTBOUND, State, Step, approved_beforehand, removed

NAMES = {
    "None": State.NONE,
    "None + Pending Out": State.NONE_OUT,
    "None + Pending In": State.NONE_IN,
    "None + Pending Out+In": State.NONE_OUT_IN,
    "To": State.TO,
    "To + Pending In": State.TO_IN,
    "From": State.FROM,
    "From + Pending Out": State.FROM_OUT,
    "Both": State.BOTH,
}

# Existing state, whether the stanza is routed or delivered, new state ("=" for no change), and the server's reply.
OUTBOUND_TABLES = {
    "subscribe": """
        None                  | MUST | None + Pending Out
        None + Pending Out    | MUST | =
        None + Pending In     | MUST | None + Pending Out+In
        None + Pending Out+In | MUST | =
        To                    | MUST | =
        To + Pending In       | MUST | =
        From                  | MUST | From + Pending Out
        From + Pending Out    | MUST | =
        Both                  | MUST | =
    """,
    "unsubscribe": """
        None                  | MUST | =
        None + Pending Out    | MUST | None
        None + Pending In     | MUST | =
        None + Pending Out+In | MUST | None + Pending In
        To                    | MUST | None
        To + Pending In       | MUST | None + Pending In
        From                  | MUST | =
        From + Pending Out    | MUST | From
        Both                  | MUST | From
    """,
    "subscribed": """
        None                  | M.N. | pre-approval
        None + Pending Out    | M.N. | pre-approval
        None + Pending In     | MUST | From
        None + Pending Out+In | MUST | From + Pending Out
        To                    | M.N. | pre-approval
        To + Pending In       | MUST | Both
        From                  | M.N. | =
        From + Pending Out    | M.N. | =
        Both                  | M.N. | =
    """,
    "unsubscribed": """
        None                  | S.N. | =
        None + Pending Out    | S.N. | =
        None + Pending In     | MUST | None
        None + Pending Out+In | MUST | None + Pending Out
        To                    | S.N. | =
        To + Pending In       | MUST | To
        From                  | MUST | None
        From + Pending Out    | MUST | None + Pending Out
        Both                  | MUST | To
    """,
}

INBOUND_TABLES = {
    "subscribe": """
        None                  | MUST | None + Pending In
        None + Pending Out    | MUST | None + Pending Out+In
        None + Pending In     | S.N. | =
        None + Pending Out+In | S.N. | =
        To                    | MUST | To + Pending In
        To + Pending In       | S.N. | =
        From                  | S.N. | = | subscribed
        From + Pending Out    | S.N. | = | subscribed
        Both                  | S.N. | = | subscribed
    """,
    "unsubscribe": """
        None                  | S.N. | =
        None + Pending Out    | S.N. | =
        None + Pending In     | MUST | None               | unsubscribed
        None + Pending Out+In | MUST | None + Pending Out | unsubscribed
        To                    | S.N. | =
        To + Pending In       | MUST | To                 | unsubscribed
        From                  | MUST | None               | unsubscribed
        From + Pending Out    | MUST | None + Pending Out | unsubscribed
        Both                  | MUST | To                 | unsubscribed
    """,
    "subscribed": """
        None                  | S.N. | =
        None + Pending Out    | MUST | To
        None + Pending In     | S.N. | =
        None + Pending Out+In | MUST | To + Pending In
        To                    | S.N. | =
        To + Pending In       | S.N. | =
        From                  | S.N. | =
        From + Pending Out    | MUST | Both
        Both                  | S.N. | =
    """,
    "unsubscribed": """
        None                  | S.N. | =
        None + Pending Out    | MUST | None
        None + Pending In     | S.N. | =
        None + Pending Out+In | MUST | None + Pending In
        To                    | MUST | None
        To + Pending In       | MUST | None + Pending In
        From                  | S.N. | =
        From + Pending Out    | MUST | From
        Both                  | MUST | From
    """,
}


def rows(tables: dict[str, str]) -> list[tuple[str, State, Step]]:
    read = []
    for kind, table in tables.items():
        for line in table.strip().splitlines():
            existing, passed, new, *reply = (cell.strip() for cell in line.split("|"))
            before = NAMES[existing]
            after = before if new in ("=", "pre-approval") else NAMES[new]
            step = Step(after, passed=passed == "MUST", approves=new == "pre-approval", reply="".join(reply))
            read.append((kind, before, step))
    return read


@pytest.mark.parametrize(("kind", "before", "step"), rows(OUTBOUND_TABLES))
def test_outbound(kind: str, before: State, step: Step) -> None:
    assert OUTBOUND[kind][before] == step


@pytest.mark.parametrize(("kind", "before", "step"), rows(INBOUND_TABLES))
def test_inbound(kind: str, before: State, step: Step) -> None:
    assert INBOUND[kind][before] == step


def test_no_row_is_missing() -> None:
    assert len(NAMES) == len(State)
    for read, tables in ((rows(OUTBOUND_TABLES), OUTBOUND), (rows(INBOUND_TABLES), INBOUND)):
        assert len(read) == sum(len(table) for table in tables.values()) == 4 * len(State)


@pytest.mark.parametrize(
    ("state", "subscription", "receives", "shares", "pending_out", "pending_in"),
    [
        (State.NONE, "none", False, False, False, False),
        (State.NONE_OUT, "none", False, False, True, False),
        (State.NONE_IN, "none", False, False, False, True),
        (State.NONE_OUT_IN, "none", False, False, True, True),
        (State.TO, "to", True, False, False, False),
        (State.TO_IN, "to", True, False, False, True),
        (State.FROM, "from", False, True, False, False),
        (State.FROM_OUT, "from", False, True, True, False),
        (State.BOTH, "both", True, True, False, False),
    ],
)
def test_what_a_state_means(
    state: State, subscription: str, receives: bool, shares: bool, pending_out: bool, pending_in: bool
) -> None:
    assert state.subscription == subscription
    assert (state.receives, state.shares, state.pending_out, state.pending_in) == (
        receives,
        shares,
        pending_out,
        pending_in,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [(State.NONE, State.FROM), (State.NONE_OUT, State.FROM_OUT), (State.TO, State.BOTH)],
)
def test_a_request_that_was_approved_beforehand(before: State, after: State) -> None:
    assert approved_beforehand(before) is after


@pytest.mark.parametrize(
    ("state", "sent"),
    [
        (State.NONE, ()),
        (State.NONE_OUT, ("unsubscribe",)),
        (State.NONE_IN, ("unsubscribed",)),
        (State.NONE_OUT_IN, ("unsubscribe", "unsubscribed")),
        (State.TO, ("unsubscribe",)),
        (State.TO_IN, ("unsubscribe", "unsubscribed")),
        (State.FROM, ("unsubscribed",)),
        (State.FROM_OUT, ("unsubscribe", "unsubscribed")),
        (State.BOTH, ("unsubscribe", "unsubscribed")),
    ],
)
def test_what_a_contact_that_is_removed_is_sent(state: State, sent: tuple[str, ...]) -> None:
    assert removed(state) == sent


def test_both_sides_agree_in_the_end() -> None:
    """Whatever two users of servers that keep to the tables send each other, in turn, their states match."""
    mirror = {"none": "none", "to": "from", "from": "to", "both": "both"}
    reached = {(State.NONE, State.NONE)}
    waiting = list(reached)
    while waiting:
        user, contact = waiting.pop()
        for kind, table in OUTBOUND.items():
            out = table[user]
            other = contact
            mine = out.state
            if out.passed:
                arrived = INBOUND[kind][contact]
                other = arrived.state
                if arrived.reply:
                    mine = INBOUND[arrived.reply][mine].state
            for pair in ((mine, other), (other, mine)):
                if pair not in reached:
                    reached.add(pair)
                    waiting.append(pair)
    assert len(reached) > 8
    for user, contact in reached:
        assert mirror[user.subscription] == contact.subscription
        assert user.pending_out == contact.pending_in
