"""Downgrade protection (XEP-0474): its own example, and lists that somebody changed on the way."""

from __future__ import annotations

import pytest

from chirrup.core.sasl import Advertised, client_mechanism, derive_keys, server_mechanism

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")
BOUND = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", *SCRAM)
BINDINGS = {"tls-exporter": b"exported", "tls-server-end-point": b"hashed"}


def keys(username, algorithm):
    return derive_keys(algorithm, "pencil", b"sixteen octets..", 4096)


def client(advertised, name="SCRAM-SHA-256", bindings=None):
    return client_mechanism(
        name, username="user", password="pencil", nonce="c", channel_bindings=bindings or {}, advertised=advertised
    )


def server(offered, name="SCRAM-SHA-256", bindings=None):
    return server_mechanism(name, nonce="s", offered=offered, channel_bindings=bindings or {})


def test_the_specification_s_example():
    advertised = Advertised(("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"), ("tls-server-end-point", "tls-exporter"))
    assert advertised.hash("SHA-1") == "G6k/rBLDqgOhRRaCuuatSDFkJ08="


def test_no_announcement_and_an_empty_one_are_two_things():
    hashes = {Advertised(SCRAM, types).hash("SHA-256") for types in (None, (), ("tls-exporter",))}
    assert len(hashes) == 3


@pytest.mark.parametrize("bindings", [{}, BINDINGS])
@pytest.mark.parametrize("seen", [SCRAM, tuple(reversed(SCRAM))])
def test_lists_that_nobody_changed(exchange, seen, bindings):
    offered = BOUND if bindings else SCRAM
    seen = seen if not bindings else tuple(reversed(offered))
    name = "SCRAM-SHA-256-PLUS" if bindings else "SCRAM-SHA-256"
    types = tuple(reversed(bindings)) if bindings else None
    exchange(client(Advertised(seen, types), name, bindings), server(offered, name, bindings), keys=keys)


@pytest.mark.parametrize(
    ("seen", "types"),
    [
        (SCRAM[:1], tuple(BINDINGS)),
        (SCRAM, None),
        (SCRAM, ()),
        ((*BOUND, "PLAIN"), tuple(BINDINGS)),
        (BOUND[1:], tuple(BINDINGS)),
        (BOUND, None),
        (BOUND, ("tls-server-end-point",)),
        (BOUND, (*BINDINGS, "tls-unique")),
    ],
)
def test_a_list_that_was_changed(exchange, refusal, seen, types):
    name = "SCRAM-SHA-256-PLUS" if "SCRAM-SHA-256-PLUS" in seen else "SCRAM-SHA-256"
    bindings = BINDINGS if name.endswith("-PLUS") else {}
    ends = client(Advertised(seen, types), name, bindings), server(BOUND, name, BINDINGS)
    assert refusal(lambda: exchange(*ends, keys=keys)) == "aborted"


def test_a_hash_that_was_changed_too_spoils_the_proof(refusal):
    """Who sits between changes list and hash alike; the server signs what it has sent, not what came."""
    machine, other_end = client(Advertised(SCRAM[1:]), "SCRAM-SHA-1"), server(SCRAM, "SCRAM-SHA-1")
    other_end.step(machine.initial())
    challenge = other_end.keys(keys("user", "SHA-1"))
    changed = challenge.data.partition(b",h=")[0] + f",h={Advertised(SCRAM[1:]).hash('SHA-1')}".encode()
    final = machine.salted(machine.respond(changed).derive())
    assert refusal(other_end.step, final) == "not-authorized"


def test_a_hash_that_was_taken_out_spoils_the_proof(refusal):
    machine, other_end = client(Advertised(SCRAM[1:]), "SCRAM-SHA-1"), server(SCRAM, "SCRAM-SHA-1")
    other_end.step(machine.initial())
    challenge = other_end.keys(keys("user", "SHA-1"))
    final = machine.salted(machine.respond(challenge.data.partition(b",h=")[0]).derive())
    assert refusal(other_end.step, final) == "not-authorized"


def test_what_is_suspect_has_to_be_confirmed(refusal):
    suspect = Advertised(BOUND, ("tls-made-up",), suspect=True)
    assert refusal(client(suspect).respond, b"r=cs,s=YQ==,i=4096") == "aborted"
    confirmed = f"r=cs,s=YQ==,i=4096,h={suspect.hash('SHA-256')}".encode()
    assert client(suspect).respond(confirmed)


@pytest.mark.parametrize("confirmed", ["", "x", "G6k/rBLDqgOhRRaCuuatSDFkJ08=", "\N{SNOWMAN}"])
def test_a_hash_that_is_none(refusal, confirmed):
    message = f"r=cs,s=YQ==,i=4096,h={confirmed}".encode()
    assert refusal(client(Advertised(SCRAM)).respond, message) in ("aborted", "malformed-request")
