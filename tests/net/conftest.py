"""Certificates as an operator would bring them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from chirrup.net.certificates import KeyPair

Issue = Callable[..., KeyPair]
SHA256 = hashes.SHA256()


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """`issue(*names, …)` writes a pair for those DNS names, again over the former one if asked for the same `file`."""

    def issue(
        *names: str,
        file: str = "",
        start: float,
        days: int = 90,
        sign_with: Any = SHA256,
        password: bytes = b"",
    ) -> KeyPair:
        private: Any = ec.generate_private_key(ec.SECP256R1()) if sign_with else ed25519.Ed25519PrivateKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        begin = datetime.datetime.fromtimestamp(start, datetime.UTC)
        certificate = (
            x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(private, sign_with)
        )
        pair = KeyPair(tmp_path / f"{file or names[0]}.pem", tmp_path / f"{file or names[0]}.key")
        encryption = BestAvailableEncryption(password) if password else NoEncryption()
        pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        pair.key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        pair.key.chmod(0o600)
        return pair

    return issue
