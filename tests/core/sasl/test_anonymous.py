from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError
from chirrup.core.sasl import ServerMechanism, Success, client_mechanism, server_mechanism


def server() -> ServerMechanism:
    return server_mechanism("ANONYMOUS", nonce="n", offered=["ANONYMOUS"])


@pytest.mark.parametrize("late", [False, True])
def test_anyone_may_come_in(exchange, late: bool):
    assert exchange(client_mechanism("ANONYMOUS"), server(), without_initial_response=late) == Success("")


@pytest.mark.parametrize("trace", ["", "sirhc", "sirhc@example.com", "ü" * 255])
def test_trace_information_is_taken(trace: str):
    assert server().step(trace.encode()) == Success("")


@pytest.mark.parametrize("trace", [b"x" * 256, "ü".encode() * 256, b"\xff", b"x" * 5000])
def test_trace_information_that_is_too_long_or_no_text_is_malformed(refusal, trace: bytes):
    # RFC 6120 §6.5.8 has this very example.
    assert refusal(server().step, trace) == "malformed-request"


def test_nothing_is_to_be_verified(refusal):
    machine = server()
    machine.step(b"")
    with pytest.raises(LocalProtocolError):
        machine.verified(True)
    assert refusal(machine.step, b"") == "malformed-request"
