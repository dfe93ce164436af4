from __future__ import annotations

import hashlib
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.sasl import SALT_OCTETS, ScramKeys, decoy_keys, derive_keys, keys_match, prepare_password

SIZES = {"SHA-1": 20, "SHA-256": 32, "SHA-512": 64}
SALT = bytes(range(16))


@pytest.mark.parametrize("algorithm", SIZES)
def test_keys_follow_from_the_password_as_rfc_5802_says(algorithm: str):
    keys = derive_keys(algorithm, "pencil", SALT, 3)
    name = algorithm.replace("-", "").lower()

    def hmac(key: bytes, data: bytes) -> bytes:
        key = key.ljust(hashlib.new(name).block_size, b"\0")
        inner = hashlib.new(name, bytes(octet ^ 0x36 for octet in key) + data).digest()
        return hashlib.new(name, bytes(octet ^ 0x5C for octet in key) + inner).digest()

    u1 = hmac(b"pencil", SALT + b"\0\0\0\1")
    u2 = hmac(b"pencil", u1)
    u3 = hmac(b"pencil", u2)
    salted = bytes(a ^ b ^ c for a, b, c in zip(u1, u2, u3, strict=True))
    stored_key = hashlib.new(name, hmac(salted, b"Client Key")).digest()
    assert keys == ScramKeys(algorithm, SALT, 3, stored_key, hmac(salted, b"Server Key"))


def test_keys_match_their_own_password_only():
    keys = derive_keys("SHA-256", "pencil", SALT, 2)
    assert keys_match(keys, "pencil")
    assert not keys_match(keys, "Pencil")
    assert not keys_match(keys, "pencil ")
    assert not keys_match(keys, "")
    assert not keys_match(keys, "pen\tcil")


def test_spellings_of_a_password_that_look_alike_are_one():
    keys = derive_keys("SHA-1", "r\u00e9sum\u00e9 x", SALT, 2)
    assert keys_match(keys, "re\u0301sume\u0301\u00a0x")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_passwords_in_printable_ascii_stay_as_they_are(password: str):
    assert prepare_password(password) == password


def test_a_half_stays_a_half():
    # SASLprep would make three characters of it; RFC 8265 does not.
    assert prepare_password("\u00bd") == "\u00bd"


@pytest.mark.parametrize("password", ["", "a\tb", "a\0b", "\x7f", "line\n", "\u0378", "x\ud800", "\u200d"])
def test_a_password_that_opaquestring_disallows_is_refused_and_not_quoted(password: str):
    with pytest.raises(ValueError, match="password must not be empty") as caught:
        derive_keys("SHA-256", password and f"hunter2{password}", SALT, 2)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("algorithm", "salt", "iterations", "stored", "server"),
    [
        ("MD5", SALT, 4096, 16, 16),
        ("sha-256", SALT, 4096, 32, 32),
        ("SHA-256", b"", 4096, 32, 32),
        ("SHA-256", SALT, 0, 32, 32),
        ("SHA-256", SALT, 4096, 20, 32),
        ("SHA-256", SALT, 4096, 32, 31),
    ],
)
def test_keys_that_cannot_be_are_refused(algorithm: str, salt: bytes, iterations: int, stored: int, server: int):
    with pytest.raises(ValueError, match=r"SCRAM keys|keys of|is none of"):
        ScramKeys(algorithm, salt, iterations, bytes(stored), bytes(server))


def test_keys_do_not_show_in_logs():
    keys = derive_keys("SHA-1", "pencil", b64decode("QSXCR+Q6sek8bf92"), 2)
    assert repr(keys.stored_key) not in repr(keys)
    assert repr(keys.server_key) not in repr(keys)


@pytest.mark.parametrize("algorithm", SIZES)
def test_decoys_look_like_keys_and_are_the_same_each_time(algorithm: str):
    decoy = decoy_keys(b"secret", "nobody", algorithm, 4096)
    assert decoy == decoy_keys(b"secret", "nobody", algorithm, 4096)
    assert (decoy.algorithm, decoy.iterations) == (algorithm, 4096)
    assert len(decoy.salt) == SALT_OCTETS
    assert len(decoy.stored_key) == len(decoy.server_key) == SIZES[algorithm]


def test_decoys_differ_by_user_secret_and_algorithm():
    salts = {
        decoy_keys(secret, username, algorithm, 4096).salt
        for secret in (b"secret", b"other secret")
        for username in ("nobody", "somebody", "jürgen")
        for algorithm in SIZES
    }
    assert len(salts) == 2 * 3 * 3


def test_no_password_fits_a_decoy():
    decoy = decoy_keys(b"secret", "nobody", "SHA-256", 2)
    assert not any(keys_match(decoy, password) for password in ("secret", "nobody", "stored key"))


def test_decoys_need_a_secret():
    with pytest.raises(ValueError, match="secret"):
        decoy_keys(b"", "nobody", "SHA-256", 4096)
    with pytest.raises(ValueError, match="none of"):
        decoy_keys(b"secret", "nobody", "MD5", 4096)
