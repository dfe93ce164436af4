"""Pings, versions and times of clients."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chirrup import Presence, StanzaError, __version__
from chirrup.ext.ping.client import Pings
from chirrup.ext.time.client import EntityTime
from chirrup.ext.version.client import SoftwareVersion
from chirrup.ext.version.payloads import Version
from chirrup.testing import serve


async def test_both_directions() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        assert await alice.need(Pings).ping() >= 0
        with pytest.raises(StanzaError, match="service-unavailable"):
            await alice.need(Pings).ping(bob.jid)  # who may not see whether somebody is there
        await bob.send(Presence(alice.jid))
        await bob.settle()
        assert await alice.need(Pings).ping(bob.jid) >= 0
        versions = alice.need(SoftwareVersion)
        assert await versions.of(bob.jid) == Version("Chirrup", __version__)
        bob.need(SoftwareVersion).version = Version("EchoBot", "7")
        assert await versions.of(bob.jid) == Version("EchoBot", "7")
        time = await alice.need(EntityTime).of(bob.jid)
        assert time.utc is not None
        assert abs((time.utc - datetime.now(UTC)).total_seconds()) < 60
