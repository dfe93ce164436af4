from __future__ import annotations

import pytest

from chirrup.core.sasl import MECHANISMS, choose, client_mechanism, server_mechanism

ALL = [
    "PLAIN",
    "ANONYMOUS",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "EXTERNAL",
    "DIGEST-MD5",
]
UNBOUND = [name for name in ALL if not name.endswith("-PLUS")]
BINDINGS = ["tls-exporter"]


def test_all_mechanisms_strongest_first():
    assert MECHANISMS == (
        "EXTERNAL",
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
        "ANONYMOUS",
    )


@pytest.mark.parametrize("name", MECHANISMS)
def test_each_has_both_halves(name: str):
    server = server_mechanism(name, nonce="server", offered=MECHANISMS)
    client = client_mechanism(name, username="u", password="p", nonce="client", channel_bindings={"x": b"y"})
    assert server.name == client.name == name
    assert server.client_first
    assert client.initial() is not None


@pytest.mark.parametrize("name", ["", "CRAM-MD5", "plain", "SCRAM-SHA-256", "SCRAM-MD5", "SCRAM-"])
def test_a_mechanism_that_is_not_offered_or_not_known_is_invalid(refusal, name: str):
    offered = ["PLAIN", "CRAM-MD5", "SCRAM-MD5", "SCRAM-"]
    assert refusal(lambda: server_mechanism(name, nonce="n", offered=offered)) == "invalid-mechanism"


def test_a_client_has_no_machine_for_a_name_it_does_not_know():
    with pytest.raises(ValueError, match="CRAM-MD5"):
        client_mechanism("CRAM-MD5", username="u", password="p", nonce="n")


def test_where_the_channel_can_be_bound_to_it_is():
    assert choose(ALL, tls=True, channel_bindings=BINDINGS, have={"password"}) == [
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
        "PLAIN",
    ]


@pytest.mark.parametrize(("offered", "bindings"), [(ALL, []), (UNBOUND, BINDINGS), (UNBOUND, [])])
def test_where_it_cannot_the_hash_function_decides(offered: list[str], bindings: list[str]):
    assert choose(offered, tls=True, channel_bindings=bindings, have={"password"}) == [
        "SCRAM-SHA-512",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1",
        "PLAIN",
    ]


def test_one_plus_form_that_is_offered_shuts_out_all_others_without():
    offered = ["SCRAM-SHA-512", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"]
    assert choose(offered, tls=True, channel_bindings=BINDINGS, have={"password"}) == ["SCRAM-SHA-1-PLUS"]


def test_a_server_may_offer_the_plus_form_alone():
    offered = ["SCRAM-SHA-1-PLUS"]
    assert choose(offered, tls=True, channel_bindings=[], have={"password"}) == []


def test_plain_and_external_want_tls():
    have = {"password", "external"}
    names = choose(ALL, tls=False, channel_bindings=[], have=have)
    assert names == ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]


def test_a_certificate_comes_before_a_password():
    names = choose(iter(ALL), tls=True, channel_bindings=BINDINGS, have={"password", "external"})
    assert names[:2] == ["EXTERNAL", "SCRAM-SHA-512-PLUS"]


def test_only_what_one_has_is_used():
    assert choose(ALL, tls=True, channel_bindings=BINDINGS, have=["external"]) == ["EXTERNAL"]
    assert choose(ALL, tls=False, channel_bindings=[], have=["anonymous"]) == ["ANONYMOUS"]
    assert choose(ALL, tls=True, channel_bindings=[], have=[]) == []
    assert choose(["DIGEST-MD5"], tls=True, channel_bindings=[], have=["password", "anonymous"]) == []
