from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import LocalProtocolError
from chirrup.core.sasl import (
    Challenge,
    NeedPassword,
    ServerMechanism,
    Success,
    client_mechanism,
    derive_keys,
    server_mechanism,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


def server() -> ServerMechanism:
    return server_mechanism("PLAIN", nonce="n", offered=["PLAIN"])


def test_the_message_of_rfc_4616():
    client = client_mechanism("PLAIN", username="tim", password="tanstaaftanstaaf")
    assert client.initial() == b"\0tim\0tanstaaftanstaaf"
    machine = server()
    assert machine.step(b"\0tim\0tanstaaftanstaaf") == NeedPassword("tim", "tanstaaftanstaaf")
    assert machine.verified(True) == Success("tim", "", None)


def test_an_authorization_identity_is_passed_on():
    client = client_mechanism("PLAIN", username="Kurt", password="xipj3plmq", authzid="Ursel")
    assert client.initial() == b"Ursel\0Kurt\0xipj3plmq"
    machine = server()
    machine.step(client.initial())
    assert machine.verified(True) == Success("Kurt", "Ursel")


def test_a_wrong_password_is_not_authorized(refusal):
    machine = server()
    machine.step(b"\0tim\0guess")
    assert refusal(machine.verified, False) == "not-authorized"


@given(username=TEXT, password=TEXT, authzid=st.one_of(st.just(""), TEXT), late=st.booleans())
def test_what_the_client_says_the_server_hears(exchange, username, password, authzid, late):
    client = client_mechanism("PLAIN", username=username, password=password, authzid=authzid)
    success = exchange(
        client, server(), password=lambda *given: given == (username, password), without_initial_response=late
    )
    assert success == Success(username, authzid)


def test_255_octets_of_each_are_taken():
    machine = server()
    message = b"\0".join([b"z" * 255, b"u" * 255, b"p" * 255])
    assert machine.step(message) == NeedPassword("u" * 255, "p" * 255)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"tim",
        b"tim\0password",
        b"\0\0",
        b"\0tim\0",
        b"\0\0password",
        b"\0tim\0pass\0word",
        b"\0tim\0password\0",
        b"\0tim\0\xff\xfe",
        b"\0\xed\xa0\x80\0password",
        b"\0" + b"u" * 1024 + b"\0password",
        b"\0" + "ü".encode() * 512 + b"\0password",
        b"\0tim\0" + b"p" * 4096,
    ],
)
def test_a_message_that_is_no_such_thing_is_malformed(refusal, message: bytes):
    assert refusal(server().step, message) == "malformed-request"


def test_a_second_message_is_malformed(refusal):
    machine = server()
    machine.step(b"\0tim\0password")
    assert refusal(machine.step, b"\0tim\0password") == "malformed-request"


def test_nothing_sent_where_something_was_asked_for_is_malformed(refusal):
    machine = server()
    assert machine.step(None) == Challenge(b"")
    assert refusal(machine.step, None) == "malformed-request"


def test_a_verdict_comes_once_and_on_a_password():
    machine = server()
    with pytest.raises(LocalProtocolError):
        machine.verified(True)
    machine.step(b"\0tim\0password")
    machine.verified(True)
    with pytest.raises(LocalProtocolError):
        machine.verified(True)
    with pytest.raises(LocalProtocolError):
        machine.keys(derive_keys("SHA-1", "x", b"salt", 1))


def test_the_password_does_not_show_in_logs():
    assert "hunter2" not in repr(server().step(b"\0tim\0hunter2"))


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "", "password": "p"},
        {"username": "u", "password": ""},
        {"username": "u\0", "password": "p"},
        {"username": "u", "password": "\0"},
        {"username": "u", "password": "p", "authzid": "\0"},
    ],
)
def test_a_client_does_not_send_what_the_message_cannot_carry(credentials: dict[str, str]):
    with pytest.raises(ValueError, match="PLAIN"):
        client_mechanism("PLAIN", **credentials)


def test_the_client_has_no_answer_to_a_challenge(refusal):
    client = client_mechanism("PLAIN", username="u", password="p")
    assert refusal(client.respond, b"") == "aborted"
