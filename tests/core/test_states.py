"""The tables: complete, without dead ends, and the same for both ends where they must be."""

from __future__ import annotations

import pytest

from chirrup.core.states import (
    CLIENT,
    CLIENT_PAUSES,
    PEER_FAULTS,
    SASL,
    SASL_EXCHANGE,
    SERVER,
    SERVER_PAUSES,
    Outcome,
    Own,
    Peer,
    State,
    Word,
)


def reachable(table, start):
    seen, ahead = set(), [start]
    while ahead:
        state = ahead.pop()
        if state not in seen:
            seen.add(state)
            ahead += table[state].values()
    return seen


@pytest.mark.parametrize(("table", "unused"), [(SERVER, set()), (CLIENT, {State.DECISION})])
def test_every_state_has_a_row_and_can_be_reached(table, unused):
    assert set(table) == reachable(table, State.HEADER) == set(State) - unused


@pytest.mark.parametrize("table", [SERVER, CLIENT])
def test_a_stream_can_end_in_every_state_but_the_last(table):
    for state, row in table.items():
        if state is State.CLOSED:
            assert not row
        else:
            assert row[Own.FAIL] is State.CLOSED
            assert State.CLOSED in reachable(table, state)


@pytest.mark.parametrize("table", [SERVER, CLIENT])
def test_nothing_is_negotiated_before_the_header_or_after_the_end(table):
    for state in (State.HEADER, State.HANDSHAKE, State.READY, State.CLOSING, State.CLOSED):
        assert not any(signal in table[state] for signal in (Peer.CHOICE, Peer.TURN, Peer.REPLY, *Outcome))


def test_a_server_that_pauses_takes_nothing_from_the_peer_but_its_end():
    for state in SERVER_PAUSES:
        assert {signal for signal in SERVER[state] if isinstance(signal, Peer)} <= {Peer.CLOSE}


def test_a_client_that_pauses_takes_nothing_from_the_peer_but_its_end():
    for state in CLIENT_PAUSES:
        assert {signal for signal in CLIENT[state] if isinstance(signal, Peer)} <= {Peer.CLOSE}


def test_each_thing_that_a_peer_can_do_out_of_order_has_its_error():
    assert set(PEER_FAULTS) == set(Peer) - {Peer.HEADER, Peer.CLOSE}


def test_after_a_restart_a_header_comes_first():
    for state in (State.FEATURES, State.EXCHANGE, State.QUESTION):
        for table in (SERVER, CLIENT):
            assert table[state][Outcome.RESTART] is State.HEADER
            assert table[state][Outcome.SECURE] is State.HANDSHAKE


@pytest.mark.parametrize(
    "words",
    [
        ["auth", "success"],
        ["auth", "failure", "auth", "success"],
        ["auth", "challenge", "response", "success"],
        ["auth", "challenge", "response", "challenge", "response", "failure"],
        ["auth", "challenge", "abort", "failure", "auth"],
        ["auth", "challenge", "auth", "challenge"],
        ["abort", "failure"],
    ],
)
def test_exchanges_of_rfc_6120(words):
    state = SASL.IDLE
    for word in words:
        state = SASL_EXCHANGE[state][Word(word)]


@pytest.mark.parametrize(
    "words",
    [
        ["response"],
        ["challenge"],
        ["success"],
        ["auth", "response"],
        ["auth", "auth"],
        ["auth", "challenge", "challenge"],
        ["auth", "challenge", "success"],
        ["auth", "failure", "success"],
        ["auth", "success", "auth"],
        ["auth", "success", "success"],
    ],
)
def test_exchanges_that_nothing_allows(words):
    state = SASL.IDLE
    for word in words[:-1]:
        state = SASL_EXCHANGE[state][Word(word)]
    assert Word(words[-1]) not in SASL_EXCHANGE[state]
