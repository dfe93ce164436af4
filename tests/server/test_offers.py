"""What a host offers is made once, and anew where something that it rests on has changed."""

from __future__ import annotations

import pytest

from chirrup.core.xml import Element
from chirrup.testing import TestServer, serve


@pytest.fixture
async def server():
    async with serve() as server:
        yield server


def offered(server: TestServer, *, logged_in: bool = False, secure: bool = True):
    return server.server.hosts["localhost"].offers.policy(secure=secure, plaintext=False, logged_in=logged_in)


async def test_streams_share_a_policy(server):
    assert offered(server) is offered(server)
    assert offered(server) is not offered(server, secure=False)
    assert offered(server, secure=False).tls and not offered(server).tls
    assert not offered(server, logged_in=True).features_before


async def test_what_modules_offer_may_change(server, monkeypatch):
    host = server.server.hosts["localhost"]
    before, usual = offered(server), host.stream_features
    more = Element("more", "urn:example:more")
    monkeypatch.setattr(host, "stream_features", lambda **where: (*usual(**where), more))
    assert more in offered(server).features_after
    monkeypatch.undo()
    assert offered(server).features_after == before.features_after


async def test_limits_that_are_read_anew_are_offered(server):
    offered(server)
    config = server.server.config
    limits = config.limits.model_copy(update={"stanza_bytes": 20_000, "resumption_seconds": 0})
    await server.server.reload(config.model_copy(update={"limits": limits}))
    assert offered(server).limits.stanza_bytes == 20_000
    assert not offered(server).inline
