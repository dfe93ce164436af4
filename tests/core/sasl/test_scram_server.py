"""What the server's half of SCRAM refuses, and with which condition."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.sasl import Challenge, NeedKeys, ServerMechanism, Success, derive_keys, server_mechanism
from chirrup.core.sasl.scram import ScramServer

KEYS = derive_keys("SHA-256", "pencil", b"salt", 2)
FIRST = "n,,n=user,r=client"
SERVER_FIRST = "r=clientserver,s=c2FsdA==,i=2"
BINDING = {"tls-exporter": b"exported"}


def server(name: str = "SCRAM-SHA-256", **options: object) -> ServerMechanism:
    return server_mechanism(name, nonce="server", offered=[name], **options)  # type: ignore[arg-type]


def bare() -> ServerMechanism:
    """One that doesn't tell what it was offered once more, as in RFC 5802."""
    return ScramServer("SCRAM-SHA-256", nonce="server", channel_bindings={}, channel_binding_offered=False)


def waiting_for_proof(first: str = FIRST) -> ServerMechanism:
    machine = bare()
    machine.step(first.encode())
    assert machine.keys(KEYS) == Challenge(SERVER_FIRST.encode())
    return machine


def signed_final(without_proof: str, first_bare: str = "n=user,r=client") -> bytes:
    """The client's last message with the right proof for whatever it says, by the formulas of RFC 5802 §3."""
    auth_message = f"{first_bare},{SERVER_FIRST},{without_proof}".encode()
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", b"salt", 2)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    signature = hmac.new(hashlib.sha256(client_key).digest(), auth_message, "sha256").digest()
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return f"{without_proof},p={b64encode(proof).decode()}".encode()


@pytest.mark.parametrize(
    "first",
    [
        "",
        "n",
        "n,",
        "n,,",
        "x,,n=user,r=client",
        "N,,n=user,r=client",
        "p,,n=user,r=client",
        "p=,,n=user,r=client",
        "p=tls exporter,,n=user,r=client",
        "n=user,r=client",
        "n,n=user,r=client",
        "nn,,n=user,r=client",
        "F,n,,n=user,r=client",
        "n,b=other,n=user,r=client",
    ],
)
def test_a_message_without_a_proper_gs2_header_is_malformed(refusal, first: str):
    assert refusal(server().step, first.encode()) == "malformed-request"


@pytest.mark.parametrize(
    "bare",
    [
        "n=user",
        "r=client",
        "n=user,",
        "r=client,n=user",
        "n=user,r=",
        "n=,r=client",
        "n=user,n=user,r=client",
        "n=user,r=client,r=client",
        "n=user,r=client,n=user",
        "n=user,r=client,a=other",
        "n=user,x=1,r=client",
        "x=1,n=user,r=client",
        "n=user,r=client,",
        "n=user,r=client,,",
        "n=user,r=client,x",
        "n=user,r=client,x=",
        "n=user,r=client,1=x",
        "n=user,r=client,xy=z",
        "n=user,r=cli ent",
        "n=user,r=clïent",
        "n=user,r=cli\x7fent",
        "n=us=er,r=client",
        "n=us=2cer,r=client",
        "n=us=3Aer,r=client",
        "n=user=,r=client",
        "n=us\0er,r=client",
        "n=user,r=client,x=\0",
        "n=" + "u" * 1024 + ",r=client",
        "n=" + "ü" * 512 + ",r=client",
        "n=user,r=" + "c" * 4096,
    ],
)
def test_a_first_message_that_breaks_the_syntax_is_malformed(refusal, bare: str):
    assert refusal(server().step, f"n,,{bare}".encode()) == "malformed-request"


@pytest.mark.parametrize(
    "octets", [b"n,,n=\xff,r=client", b"\x80n,,n=u,r=c", b"n,,n=\xed\xa0\x80,r=c", b"n,a=\xc0\x80,n=u,r=c"]
)
def test_a_first_message_that_is_not_utf8_is_malformed(refusal, octets: bytes):
    assert refusal(server().step, octets) == "malformed-request"


@pytest.mark.parametrize("authzid", ["", "=", "a=2", "a=2c", "a\0b"])
def test_an_authorization_identity_that_cannot_be_one_is_invalid(refusal, authzid: str):
    assert refusal(server().step, f"n,a={authzid},n=user,r=client".encode()) == "invalid-authzid"


@pytest.mark.parametrize("bare", ["m=1,n=user,r=client", "n=user,r=client,m=1", "n=user,r=client,x=1,m=1"])
def test_mandatory_extensions_are_refused_by_name(bare: str):
    with pytest.raises(SASLError, match="mandatory extensions") as caught:
        server().step(f"n,,{bare}".encode())
    assert caught.value.condition == "malformed-request"


def test_names_are_unescaped_and_otherwise_left_alone():
    first = "n,a==3D2C=2C,n=Ü=2C=3D=3D2Cx\u00a0,r=client"
    machine = bare()
    assert machine.step(first.encode()) == NeedKeys("Ü,==2Cx\u00a0", "SHA-256")
    machine.keys(KEYS)
    binding = b64encode(b"n,a==3D2C=2C,").decode()
    success = machine.step(signed_final(f"c={binding},r=clientserver", "n=Ü=2C=3D=3D2Cx\u00a0,r=client"))
    assert isinstance(success, Success)
    assert (success.username, success.authzid) == ("Ü,==2Cx\u00a0", "=2C,")


def test_a_username_may_have_1023_octets():
    assert server().step(b"n,,n=" + b"u" * 1023 + b",r=client") == NeedKeys("u" * 1023, "SHA-256")


def test_extensions_are_passed_over_and_still_signed():
    bare = "n=user,r=client,x=1,y=a=b,x=2"
    machine = waiting_for_proof(f"n,,{bare}")
    success = machine.step(signed_final("c=biws,r=clientserver,z=1,h==", bare))
    assert isinstance(success, Success)


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("SCRAM-SHA-256", "p=tls-exporter"),
        ("SCRAM-SHA-256-PLUS", "n"),
        ("SCRAM-SHA-256-PLUS", "y"),
    ],
)
def test_a_flag_that_does_not_go_with_the_mechanism_is_malformed(refusal, name: str, flag: str):
    machine = server(name, channel_bindings=BINDING)
    assert refusal(machine.step, f"{flag},,n=user,r=client".encode()) == "malformed-request"


@pytest.mark.parametrize("binding", ["tls-unique", "TLS-EXPORTER", "tls-exporter-"])
def test_a_channel_binding_type_that_is_not_there_is_refused(refusal, binding: str):
    machine = server("SCRAM-SHA-256-PLUS", channel_bindings=BINDING)
    assert refusal(machine.step, f"p={binding},,n=user,r=client".encode()) == "not-authorized"


def test_a_channel_binding_without_data_binds_to_nothing(refusal):
    machine = server("SCRAM-SHA-256-PLUS", channel_bindings={"tls-exporter": b""})
    assert refusal(machine.step, b"p=tls-exporter,,n=user,r=client") == "not-authorized"


def test_the_right_proof_lets_in():
    success = waiting_for_proof().step(signed_final("c=biws,r=clientserver"))
    assert isinstance(success, Success)
    assert success.username == "user"
    assert (success.data or b"").startswith(b"v=")


@pytest.mark.parametrize(
    "without_proof",
    [
        "r=clientserver,c=biws",
        "c=biws",
        "c=biws,x=1,r=clientserver",
        "x=1,c=biws,r=clientserver",
        "c=biws,c=biws,r=clientserver",
        "c=biws,r=clientserver,r=clientserver",
        "c=biws,r=clientserver,p=AAAA",
        "c=biws,r=clientserver,m=1",
        "m=1,c=biws,r=clientserver",
        "c=biws,r=clientserver,n=user",
        "c=biw,r=clientserver",
        "c=biws=,r=clientserver",
        "c=bi ws,r=clientserver",
        "c=biw!,r=clientserver",
        "c=,r=clientserver",
        "c=biws,r=clientserver,",
    ],
)
def test_a_last_message_that_breaks_the_syntax_is_malformed(refusal, without_proof: str):
    assert refusal(waiting_for_proof().step, signed_final(without_proof)) == "malformed-request"


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws,r=clientserver",
        b"c=biws,r=clientserver,p=",
        b"c=biws,r=clientserver,p=AAA",
        b"c=biws,r=clientserver,p=AA AA===",
        b"c=biws,r=clientserver,p=AAAA",
        b"c=biws,r=clientserver,p=\xff",
        signed_final("c=biws,r=clientserver") + b",x=1",
        signed_final("c=biws,r=clientserver") + b"\n",
        signed_final("c=biws,r=clientserver,x=" + "x" * 4096),
    ],
)
def test_a_last_message_without_a_proper_proof_is_malformed(refusal, final: bytes):
    assert refusal(waiting_for_proof().step, final) == "malformed-request"


@pytest.mark.parametrize(
    "nonce", ["client", "server", "clientserverx", "clientserve", "Clientserver", "clientclientserver"]
)
def test_a_nonce_that_is_not_the_one_sent_is_refused(refusal, nonce: str):
    assert refusal(waiting_for_proof().step, signed_final(f"c=biws,r={nonce}")) == "not-authorized"


@pytest.mark.parametrize("header", ["y,,", "n,a=other,", "n,,x", "p=tls-exporter,,exported", "n,"])
def test_a_header_that_is_not_the_one_that_came_first_is_refused(refusal, header: str):
    binding = b64encode(header.encode()).decode()
    assert refusal(waiting_for_proof().step, signed_final(f"c={binding},r=clientserver")) == "not-authorized"


@pytest.mark.parametrize("data", [b"exporter", b"", b"exported-", b"exporte"])
def test_other_channel_binding_data_are_refused_whatever_the_proof(refusal, data: bytes):
    machine = server("SCRAM-SHA-256-PLUS", channel_bindings=BINDING)
    machine.step(b"p=tls-exporter,,n=user,r=client")
    machine.keys(KEYS)
    binding = b64encode(b"p=tls-exporter,," + data).decode()
    assert refusal(machine.step, signed_final(f"c={binding},r=clientserver")) == "not-authorized"


@given(bit=st.integers(0, 255))
def test_a_proof_with_any_bit_wrong_is_refused(bit: int):
    machine = waiting_for_proof()
    without_proof = "c=biws,r=clientserver"
    proof = bytearray(b64decode(signed_final(without_proof).rpartition(b",p=")[2]))
    proof[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SASLError) as caught:
        machine.step(f"{without_proof},p={b64encode(proof).decode()}".encode())
    assert (caught.value.condition, caught.value.text) == ("not-authorized", "")


def test_messages_out_of_turn_are_malformed(refusal):
    early = server()
    early.step(FIRST.encode())
    assert refusal(early.step, FIRST.encode()) == "malformed-request"
    late = waiting_for_proof()
    late.step(signed_final("c=biws,r=clientserver"))
    assert refusal(late.step, signed_final("c=biws,r=clientserver")) == "malformed-request"


def test_a_machine_that_refused_once_is_done(refusal):
    machine = waiting_for_proof()
    assert refusal(machine.step, b"c=biws,r=clientserver,p=" + b64encode(bytes(32))) == "not-authorized"
    assert refusal(machine.step, signed_final("c=biws,r=clientserver")) == "malformed-request"


def test_keys_are_given_once_when_asked_for_and_of_the_right_kind():
    machine = server()
    with pytest.raises(LocalProtocolError):
        machine.keys(KEYS)
    machine.step(FIRST.encode())
    with pytest.raises(LocalProtocolError, match="SHA-1"):
        machine.keys(derive_keys("SHA-1", "pencil", b"salt", 2))
    machine.keys(KEYS)
    with pytest.raises(LocalProtocolError):
        machine.keys(KEYS)
    with pytest.raises(LocalProtocolError):
        machine.verified(True)


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "ä", "a\n"])
def test_a_nonce_of_our_own_is_printable_ascii(nonce: str):
    with pytest.raises(ValueError, match="nonce"):
        server_mechanism("SCRAM-SHA-256", nonce=nonce, offered=["SCRAM-SHA-256"])


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_comes_ends_in_a_saslerror(first: bytes, final: bytes):
    with pytest.raises(SASLError):
        server().step(b"n," + first)
    with pytest.raises(SASLError):
        waiting_for_proof().step(b"c=biws," + final)
