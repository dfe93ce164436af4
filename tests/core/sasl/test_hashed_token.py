"""HT-SHA-256: tokens, proved by both ends."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.sasl import KnownToken, NeedTokens, Success, TokenClient, TokenServer
from chirrup.core.sasl.hashed_token import BINDINGS, NAMES, usable

DATA = {"tls-exporter": b"exported", "tls-unique": b"unique", "tls-server-end-point": b"hashed"}
TOKEN = KnownToken("WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm")


def client(name="HT-SHA-256-ENDP", token=TOKEN.secret, data=DATA):
    return TokenClient(name, username="user", token=token, channel_bindings=data)


def server(name="HT-SHA-256-ENDP", data=DATA):
    return TokenServer(name, data)


@pytest.mark.parametrize("name", NAMES)
def test_both_prove_the_token(name):
    machine, other_end = client(name), server(name)
    message = machine.initial()
    data = DATA.get(BINDINGS[name], b"")
    secret = TOKEN.secret.encode()
    assert message == b"user\0" + hmac.digest(secret, b"Initiator" + data, "sha256")
    assert other_end.step(message) == NeedTokens("user", name)
    success = other_end.tokens([KnownToken("another"), TOKEN])
    assert success == Success("user", "", hmac.digest(secret, b"Responder" + data, "sha256"))
    assert other_end.proven is TOKEN
    machine.finish(success.data)


@pytest.mark.parametrize("tokens", [[], [KnownToken("another")], [KnownToken("another", expired=True)]])
def test_another_token(refusal, tokens):
    machine = server()
    machine.step(client().initial())
    assert refusal(machine.tokens, tokens) == "not-authorized"


def test_a_token_that_has_expired(refusal):
    machine = server()
    machine.step(client().initial())
    assert refusal(machine.tokens, [KnownToken("another"), KnownToken(TOKEN.secret, expired=True)]) == (
        "credentials-expired"
    )


def test_another_channel(refusal):
    machine = server(data=DATA | {"tls-server-end-point": b"of another certificate"})
    machine.step(client().initial())
    assert refusal(machine.tokens, [TOKEN]) == "not-authorized"


def test_another_mechanism(refusal):
    machine = server("HT-SHA-256-NONE")
    machine.step(client().initial())
    assert refusal(machine.tokens, [TOKEN]) == "not-authorized"


@pytest.mark.parametrize("data", [None, b"", b"x", b"a hash of thirty-two octets long."])
def test_a_server_that_does_not_know_the_token(refusal, data):
    assert refusal(client().finish, data) == "aborted"


@pytest.mark.parametrize("message", [b"", b"user", b"user\0", b"\0proof", b"\xff\0proof", b"u" * 1024 + b"\0proof"])
def test_a_message_that_is_none(refusal, message):
    assert refusal(server().step, message) == "malformed-request"


@given(st.binary(max_size=100))
def test_whatever_comes_ends_in_a_question_or_a_saslerror(message):
    try:
        step = server().step(message)
    except SASLError as error:
        assert error.condition == "malformed-request"
    else:
        assert isinstance(step, NeedTokens)


def test_tokens_that_nobody_asked_for():
    with pytest.raises(LocalProtocolError):
        server().tokens([TOKEN])


@pytest.mark.parametrize("data", [{}, {"tls-exporter": b"x"}, {"tls-server-end-point": b""}])
def test_no_data_to_bind_to(data):
    with pytest.raises(ValueError, match="channel binding"):
        client(data=data)


@pytest.mark.parametrize(("username", "token"), [("", "x"), ("a\0b", "x"), ("user", "")])
def test_what_a_message_cannot_carry(username, token):
    with pytest.raises(ValueError, match="username"):
        TokenClient("HT-SHA-256-NONE", username=username, token=token, channel_bindings={})


def test_what_can_be_used_on_a_connection():
    assert usable(reversed(NAMES), DATA) == NAMES
    assert usable(["HT-SHA-256-NONE", "HT-SHA-256-EXPR", "HT-SHA3-512-EXPR"], {}) == ("HT-SHA-256-NONE",)
