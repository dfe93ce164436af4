"""Base64 and UTF-8 as SASL wants them: strict, and with the error that RFC 6120 §6.5 names."""

from __future__ import annotations

import binascii

from chirrup.core.errors import SASLError


def decode_base64(text: str) -> bytes:
    """The data in the text of an `<auth/>`, `<challenge/>`, `<response/>` or `<success/>` (RFC 6120 §6.4.2, §13.9.1).

    "=" and "" are data of no octets; whether "" means no data at all is for the caller to know. Raises
    SASLError("incorrect-encoding") for anything outside the alphabet, whitespace too, and for wrong padding.
    """
    if text == "=":
        return b""
    try:
        return strict_base64(text)
    except ValueError as error:
        raise SASLError("incorrect-encoding", "not base64") from error


def encode_base64(data: bytes) -> str:
    """What `decode_base64` reads; data of no octets is "=", so that it isn't taken for none."""
    return plain_base64(data) or "="


def strict_base64(text: str) -> bytes:
    """RFC 4648 §4 to the letter; ValueError for anything else."""
    if len(text) % 4:
        raise ValueError("base64 comes in groups of four")
    return binascii.a2b_base64(text, strict_mode=True)


def plain_base64(data: bytes) -> str:
    """RFC 4648 §4, on one line."""
    return binascii.b2a_base64(data, newline=False).decode()


def decode_utf8(data: bytes) -> str:
    """The text of a message. Raises SASLError("malformed-request")."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SASLError("malformed-request", "not UTF-8") from error
