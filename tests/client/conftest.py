"""Certificates for servers that aren't to be trusted, and others."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chirrup.net.certificates import KeyPair, make

Serve = Callable[..., tuple[ssl.SSLContext, KeyPair]]


@pytest.fixture
def certificate(tmp_path: Path) -> Serve:
    """`certificate("localhost")`: a server's context with a certificate of its own for that host, and its files."""

    def issue(host: str, *, age_days: float = 0) -> tuple[ssl.SSLContext, KeyPair]:
        pair = make(host, tmp_path / f"{host}-{age_days}", time.time() - age_days * 86_400)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        return context, pair

    return issue
