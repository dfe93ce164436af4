from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.errors import SASLError
from chirrup.core.sasl import decode_base64, encode_base64


def test_an_equals_sign_is_data_of_no_octets():
    assert decode_base64("=") == b""
    assert encode_base64(b"") == "="
    assert decode_base64("") == b""


@given(st.binary(max_size=300))
def test_what_is_encoded_is_base64_and_decodes_again(data: bytes):
    text = encode_base64(data)
    assert decode_base64(text) == data
    assert base64.b64decode(text.removesuffix("=") if not data else text) == data


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AAAA=",
        "AAAA==",
        "==",
        "====",
        "=AAA",
        "BBBB=CCC",
        "AA==AA==",
        "AA =",
        " AAAA",
        "AAAA\n",
        "AA\nAA",
        "AAA-",
        "AAA_",
        "ÄÖÜß",
        "AAA\0",
    ],
)
def test_anything_else_is_incorrect_encoding(text: str):
    with pytest.raises(SASLError) as caught:
        decode_base64(text)
    assert caught.value.condition == "incorrect-encoding"
