"""Whole exchanges of SCRAM: the RFCs' own, byte for byte, and any that hypothesis thinks of."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chirrup.core.sasl import (
    Challenge,
    ClientMechanism,
    NeedKeys,
    ScramKeys,
    ServerMechanism,
    Success,
    client_mechanism,
    decoy_keys,
    derive_keys,
    prepare_password,
    server_mechanism,
)
from chirrup.core.sasl.scram import ScramServer

SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
PLUS = [f"{name}-PLUS" for name in SCRAM]
BINDINGS = {"tls-exporter": bytes(range(32)), "tls-server-end-point": b"hash of a certificate"}

RFC_5802 = (
    "SCRAM-SHA-1",
    "fyko+d2lbbFgONRv9qkxdawL",
    "3rfcNHYJY1ZVvWVs7j",
    "QSXCR+Q6sek8bf92",
    b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677 = (
    "SCRAM-SHA-256",
    "rOprNGfwEbeRWgbNEkqO",
    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "W22ZaJ0SNY7soEsUEjb6gQ==",
    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
VECTORS = pytest.mark.parametrize(
    ("name", "client_nonce", "server_nonce", "salt", "client_first", "server_first", "client_final", "server_final"),
    [pytest.param(*RFC_5802, id="RFC 5802"), pytest.param(*RFC_7677, id="RFC 7677")],
)


def respond(machine, challenge):
    """The response to a challenge, with what has to be derived for it."""
    answer = machine.respond(challenge)
    return answer if isinstance(answer, bytes) else machine.salted(answer.derive())


def keys_of(password: str, iterations: int = 1) -> Callable[[str, str], ScramKeys]:
    return lambda username, algorithm: derive_keys(algorithm, password, b"a salt of 16 oct", iterations)


def client(name: str, **options: object) -> ClientMechanism:
    given: dict[str, object] = {"username": "user", "password": "pencil", "nonce": "client", "min_iterations": 1}
    return client_mechanism(name, **(given | options))  # type: ignore[arg-type]


def server(name: str, *, offered: list[str] | None = None, **options: object) -> ServerMechanism:
    return server_mechanism(name, nonce="server", offered=offered or [name], **options)  # type: ignore[arg-type]


@VECTORS
def test_the_server_says_what_the_rfc_says(
    name, client_nonce, server_nonce, salt, client_first, server_first, client_final, server_final
):
    machine = ScramServer(name, nonce=server_nonce, channel_bindings={}, channel_binding_offered=False)
    algorithm = name.removeprefix("SCRAM-")
    assert machine.step(client_first) == NeedKeys("user", algorithm)
    assert machine.keys(derive_keys(algorithm, "pencil", b64decode(salt), 4096)) == Challenge(server_first)
    assert machine.step(client_final) == Success("user", "", server_final)


@VECTORS
def test_the_client_says_what_the_rfc_says(
    name, client_nonce, server_nonce, salt, client_first, server_first, client_final, server_final
):
    machine = client_mechanism(name, username="user", password="pencil", nonce=client_nonce)
    assert machine.initial() == client_first
    assert respond(machine, server_first) == client_final
    machine.finish(server_final)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
NONCE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=1)


def is_password(text: str) -> bool:
    try:
        prepare_password(text)
    except ValueError:
        return False
    return True


PASSWORD = st.one_of(
    TEXT.filter(is_password),
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1).filter(is_password),
)


@given(
    name=st.sampled_from([*SCRAM, *PLUS]),
    username=TEXT,
    authzid=st.one_of(st.just(""), TEXT),
    password=PASSWORD,
    nonces=st.tuples(NONCE, NONCE),
    binding=st.sampled_from(sorted(BINDINGS)),
    iterations=st.integers(1, 20),
    late=st.booleans(),
)
def test_a_client_with_the_password_gets_in(
    exchange, name, username, authzid, password, nonces, binding, iterations, late
):
    channel_bindings = {binding: BINDINGS[binding]} if name in PLUS else {}
    success = exchange(
        client_mechanism(
            name,
            username=username,
            password=password,
            authzid=authzid,
            nonce=nonces[0],
            channel_bindings=channel_bindings,
            min_iterations=1,
        ),
        server_mechanism(name, nonce=nonces[1], channel_bindings=BINDINGS, offered=[*SCRAM, *PLUS]),
        keys=keys_of(password, iterations),
        without_initial_response=late,
    )
    assert (success.username, success.authzid) == (username, authzid)


@given(name=st.sampled_from([*SCRAM, *PLUS]), right=PASSWORD, wrong=PASSWORD)
def test_a_client_with_another_password_does_not(exchange, refusal, name, right, wrong):
    assume(prepare_password(right) != prepare_password(wrong))
    bindings = BINDINGS if name in PLUS else {}
    machines = client(name, password=wrong, channel_bindings=bindings), server(name, channel_bindings=bindings)
    assert refusal(lambda: exchange(*machines, keys=keys_of(right))) == "not-authorized"


def test_the_password_is_prepared_at_both_ends(exchange):
    machines = client("SCRAM-SHA-256", password="cafe\u0301\u00a0noir"), server("SCRAM-SHA-256")
    exchange(*machines, keys=keys_of("caf\u00e9 noir"))


@pytest.mark.parametrize("name", SCRAM)
def test_a_user_that_does_not_exist_looks_like_one_that_does(name: str):
    """Up to the proof and after it, nothing but the values differs."""

    def attempt(keys: ScramKeys) -> tuple[str, str, str]:
        machine, guesser = server(name), client(name, password="guess")
        machine.step(guesser.initial())
        challenge = machine.keys(keys)
        assert isinstance(challenge, Challenge)
        with pytest.raises(Exception) as caught:
            machine.step(respond(guesser, challenge.data))
        salt = challenge.data.decode().split(",")[1]
        return challenge.data.decode().replace(salt, f"{len(salt)}"), type(caught.value).__name__, str(caught.value)

    algorithm = name.removeprefix("SCRAM-")
    real = attempt(derive_keys(algorithm, "pencil", b"a salt of 16 oct", 4096))
    assert attempt(decoy_keys(b"secret", "user", algorithm, 4096)) == real


@pytest.mark.parametrize("binding", sorted(BINDINGS))
@pytest.mark.parametrize("name", PLUS)
def test_the_proof_is_bound_to_the_channel(exchange, refusal, name: str, binding: str):
    own = {binding: BINDINGS[binding]}
    machine = client(name, channel_bindings=own)
    assert machine.initial() == f"p={binding},,n=user,r=client".encode()
    exchange(machine, server(name, channel_bindings=BINDINGS), keys=keys_of("pencil"))

    between = client(name, channel_bindings={binding: b"another channel's"})
    tapped = server(name, channel_bindings=BINDINGS)
    assert refusal(lambda: exchange(between, tapped, keys=keys_of("pencil"))) == "not-authorized"


def test_channel_binding_data_follow_the_header_in_c():
    machine = client("SCRAM-SHA-1-PLUS", channel_bindings={"tls-exporter": b"\0\xff"}, authzid="a,b")
    final = respond(machine, b"r=clientserver,s=QSXCR+Q6sek8bf92,i=1")
    assert final.startswith(b"c=" + b64encode(b"p=tls-exporter,a=a=2Cb,\0\xff") + b",r=clientserver,p=")


def test_the_client_takes_the_first_type():
    machine = client("SCRAM-SHA-1-PLUS", channel_bindings={"tls-server-end-point": b"x", "tls-exporter": b"y"})
    assert (machine.initial() or b"").startswith(b"p=tls-server-end-point,")


@pytest.mark.parametrize("name", SCRAM)
def test_a_client_that_could_bind_says_so_where_the_server_could_not(exchange, name: str):
    machine = client(name, channel_bindings=BINDINGS)
    assert machine.initial() == b"y,,n=user,r=client"
    exchange(machine, server(name, offered=SCRAM), keys=keys_of("pencil"))


@pytest.mark.parametrize("name", SCRAM)
def test_a_client_from_which_plus_was_hidden_is_refused(refusal, name: str):
    machine = server(name, offered=[name, "SCRAM-SHA-1-PLUS"], channel_bindings=BINDINGS)
    assert refusal(machine.step, client(name, channel_bindings=BINDINGS).initial()) == "not-authorized"


@pytest.mark.parametrize("name", SCRAM)
def test_a_client_that_cannot_bind_gets_in_without(exchange, name: str):
    machine = server(name, offered=[name, f"{name}-PLUS"], channel_bindings=BINDINGS)
    exchange(client(name), machine, keys=keys_of("pencil"))


def test_a_type_that_the_server_lacks_is_refused(refusal):
    machine = server("SCRAM-SHA-256-PLUS", channel_bindings=BINDINGS)
    initial = client("SCRAM-SHA-256-PLUS", channel_bindings={"tls-unique": b"x"}).initial()
    assert refusal(machine.step, initial) == "not-authorized"
