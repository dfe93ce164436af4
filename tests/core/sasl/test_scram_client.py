"""What the client's half of SCRAM refuses: a server that can't be trusted, or makes it work too hard."""

from __future__ import annotations

import pytest

from chirrup.core.errors import SASLError
from chirrup.core.sasl import (
    MAX_ITERATIONS,
    Challenge,
    ClientMechanism,
    Success,
    client_mechanism,
    derive_keys,
    server_mechanism,
)
from chirrup.core.sasl.scram import ScramServer

NAME = "SCRAM-SHA-256"
SALT = b"a salt of 16 oct"
SERVER_FIRST = b"r=clientserver,s=YSBzYWx0IG9mIDE2IG9jdA==,i=4096"


def respond(machine, challenge):
    """The response to a challenge, with what has to be derived for it."""
    answer = machine.respond(challenge)
    return answer if isinstance(answer, bytes) else machine.salted(answer.derive())


def client(**options: object) -> ClientMechanism:
    given: dict[str, object] = {"username": "user", "password": "pencil", "nonce": "client"}
    return client_mechanism(NAME, **(given | options))  # type: ignore[arg-type]


def converse(machine: ClientMechanism, password: str = "pencil", salt: bytes = SALT) -> bytes | None:
    """All but the end of an exchange; what the server says with success."""
    server = server_mechanism(NAME, nonce="server", offered=[NAME])
    server.step(machine.initial())
    challenge = server.keys(derive_keys("SHA-256", password, salt, 4096))
    assert isinstance(challenge, Challenge)
    success = server.step(respond(machine, challenge.data))
    assert isinstance(success, Success)
    return success.data


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=clientserver",
        b"r=clientserver,s=YQ==",
        b"s=YQ==,r=clientserver,i=4096",
        b"r=clientserver,i=4096,s=YQ==",
        b"r=clientserver,s=YQ==,i=4096,i=4096",
        b"r=clientserver,s=YQ==,i=4096,v=YQ==",
        b"m=x,r=clientserver,s=YQ==,i=4096",
        b"r=clientserver,s=YQ==,i=4096,m=x",
        b"r=clientserver,s=,i=4096",
        b"r=clientserver,s=YQ,i=4096",
        b"r=clientserver,s=YQ= =,i=4096",
        b"r=clientserver,s=YQ==,i=",
        b"r=clientserver,s=YQ==,i=0",
        b"r=clientserver,s=YQ==,i=-1",
        b"r=clientserver,s=YQ==,i=04096",
        b"r=clientserver,s=YQ==,i=4096.5",
        "r=clientserver,s=YQ==,i=٤٠٩٦".encode(),
        b"r=clientserver,s=YQ==,i=" + b"9" * 4000,
        b"r=client server,s=YQ==,i=4096",
        b"r=clientserver,s=YQ==,i=4096,x=\xff",
        b"r=clientserver,s=YQ==,i=4096,x=" + b"x" * 4096,
    ],
)
def test_a_challenge_that_breaks_the_syntax_is_malformed(refusal, challenge: bytes):
    assert refusal(client().respond, challenge) == "malformed-request"


@pytest.mark.parametrize("nonce", ["client", "server", "clien", "xclientserver", "Clientserver"])
def test_a_nonce_that_does_not_continue_ours_is_refused(refusal, nonce: str):
    assert refusal(client().respond, f"r={nonce},s=YQ==,i=4096".encode()) == "aborted"


@pytest.mark.parametrize("iterations", [1, 4095, MAX_ITERATIONS + 1, 10**17])
def test_too_few_and_too_many_iterations_are_refused_before_any_work(refusal, iterations: int):
    assert refusal(client().respond, f"r=clientserver,s=YQ==,i={iterations}".encode()) == "aborted"


def test_the_bounds_are_the_callers_to_set(refusal):
    assert respond(client(min_iterations=1), b"r=clientserver,s=YQ==,i=1")
    assert refusal(client(max_iterations=4999).respond, b"r=clientserver,s=YQ==,i=5000") == "aborted"


def test_extensions_are_passed_over():
    assert respond(client(), SERVER_FIRST + b",h=abc,x=y=z")


def test_success_without_the_servers_proof_is_none(refusal):
    for data in (None, b""):
        machine = client()
        converse(machine)
        assert refusal(machine.finish, data) == "aborted"


def test_success_before_the_exchange_is_none(refusal):
    machine = client()
    assert refusal(machine.finish, None) == "aborted"
    assert refusal(machine.finish, b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == "aborted"


def test_a_server_that_does_not_know_the_password_is_refused(refusal):
    impostor = ScramServer(NAME, nonce="server", channel_bindings={}, channel_binding_offered=False)
    machine = client()
    respond(machine, SERVER_FIRST)
    other = client(password="guess")
    impostor.step(other.initial())
    challenge = impostor.keys(derive_keys("SHA-256", "guess", SALT, 4096))
    assert challenge == Challenge(SERVER_FIRST)
    success = impostor.step(respond(other, SERVER_FIRST))
    assert isinstance(success, Success)
    assert refusal(machine.finish, success.data) == "aborted"


@pytest.mark.parametrize("final", [b"v=", b"v=AAA", b"x=AAAA", b"AAAA", b"v=AAAA,v=AAAA", b"m=1,v=AAAA", b"v=\xff"])
def test_a_last_message_that_breaks_the_syntax_is_malformed(refusal, final: bytes):
    machine = client()
    respond(machine, SERVER_FIRST)
    assert refusal(machine.finish, final) == "malformed-request"


def test_an_error_of_the_servers_is_told():
    machine = client()
    with pytest.raises(SASLError) as caught:
        respond(machine, b"e=other-error,x=1")
    assert (caught.value.condition, caught.value.text) == ("not-authorized", "other-error")
    machine = client()
    respond(machine, SERVER_FIRST)
    with pytest.raises(SASLError) as caught:
        machine.finish(b"e=invalid-proof")
    assert (caught.value.condition, caught.value.text) == ("not-authorized", "invalid-proof")


def test_the_proof_may_come_in_a_challenge_of_its_own():
    machine = client()
    proof = converse(machine)
    assert proof is not None
    assert respond(machine, proof) == b""
    machine.finish(None)


def test_a_proof_comes_once(refusal):
    machine = client()
    proof = converse(machine)
    assert proof is not None
    respond(machine, proof)
    assert refusal(machine.respond, proof) == "aborted"
    assert refusal(machine.finish, proof) == "aborted"


def test_what_was_derived_once_is_remembered_when_it_worked(monkeypatch):
    remembered: dict[tuple[str, bytes, int], bytes] = {}
    machine = client(salted_passwords=remembered)
    proof = converse(machine)
    assert remembered == {}
    machine.finish(proof)
    assert list(remembered) == [("SHA-256", SALT, 4096)]

    again = client(salted_passwords=remembered)
    challenge = SERVER_FIRST
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.pbkdf2_hmac", None)
        final = respond(again, challenge)
    assert final == respond(client(), challenge)


def test_only_the_last_that_worked_is_remembered():
    remembered: dict[tuple[str, bytes, int], bytes] = {}
    for salt in (b"first", b"second"):
        machine = client(salted_passwords=remembered)
        machine.finish(converse(machine, salt=salt))
    assert [salt for _, salt, _ in remembered] == [b"second"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"username": ""}, "name"),
        ({"username": "a\0b"}, "name"),
        ({"authzid": "a\0b"}, "name"),
        ({"password": ""}, "password"),
        ({"password": "a\nb"}, "password"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "a,b"}, "nonce"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(options: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        client(**options)


def test_plus_wants_channel_binding_data():
    with pytest.raises(ValueError, match="channel binding"):
        client_mechanism(f"{NAME}-PLUS", username="user", password="pencil", nonce="client")
