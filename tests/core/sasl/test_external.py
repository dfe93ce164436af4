from __future__ import annotations

import pytest

from chirrup.core.errors import LocalProtocolError
from chirrup.core.sasl import Challenge, NeedIdentity, ServerMechanism, Success, client_mechanism, server_mechanism


def server(identity: str = "") -> ServerMechanism:
    return server_mechanism("EXTERNAL", nonce="n", offered=["EXTERNAL"], external_identity=identity)


@pytest.mark.parametrize("late", [False, True])
def test_the_certificate_says_who_it_is(exchange, late: bool):
    success = exchange(
        client_mechanism("EXTERNAL"),
        server("juliet@example.com"),
        identity=lambda authzid: authzid == "",
        without_initial_response=late,
    )
    assert success == Success("juliet@example.com", "")


def test_the_client_says_which_of_its_identities_to_act_as(exchange):
    client = client_mechanism("EXTERNAL", authzid="juliet@example.com")
    assert client.initial() == b"juliet@example.com"
    success = exchange(client, server(), identity=lambda authzid: authzid == "juliet@example.com")
    assert success == Success("juliet@example.com", "juliet@example.com")


def test_a_client_that_leaves_open_which_of_its_identities_it_acts_as_is_refused(refusal):
    assert refusal(server().step, b"") == "invalid-authzid"


def test_the_response_to_the_empty_challenge_may_be_empty():
    machine = server("example.org")
    assert machine.step(None) == Challenge(b"")
    assert machine.step(None) == NeedIdentity("")


def test_an_identity_that_the_certificate_lacks_is_an_invalid_authzid(refusal):
    machine = server("juliet@example.com")
    assert machine.step(b"romeo@example.com") == NeedIdentity("romeo@example.com")
    assert refusal(machine.verified, False) == "invalid-authzid"


def test_a_certificate_that_says_nothing_of_use_is_not_authorized(refusal):
    machine = server("example.org")
    machine.step(b"")
    assert refusal(machine.verified, False) == "not-authorized"


@pytest.mark.parametrize("message", [b"\xff", b"juliet\0@example.com", b"x" * 5000])
def test_what_is_no_identity_is_malformed(refusal, message: bytes):
    assert refusal(server("juliet@example.com").step, message) == "malformed-request"


def test_a_verdict_comes_once():
    machine = server("juliet@example.com")
    with pytest.raises(LocalProtocolError):
        machine.verified(True)
    machine.step(b"")
    machine.verified(True)
    with pytest.raises(LocalProtocolError):
        machine.verified(True)


def test_a_client_does_not_send_a_nul():
    with pytest.raises(ValueError, match="NUL"):
        client_mechanism("EXTERNAL", authzid="a\0b")
