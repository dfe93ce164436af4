"""Streams from header to close: both ends against each other, and each against a peer that breaks the rules."""

from __future__ import annotations

from chirrup.core.stream import Ready


def test_client_and_server_negotiate(link):
    joined = link()
    assert joined.client.of(Ready) and joined.server.of(Ready), joined.transcript
