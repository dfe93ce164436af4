from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chirrup import Presence, StanzaError
from chirrup.ext.last_activity.client import LastActivities
from chirrup.ext.presence.client import Presences, everybody
from chirrup.ext.roster.client import Roster
from chirrup.testing import FakeClock, serve


async def test_for_how_long_somebody_is_idle() -> None:
    clock = FakeClock()
    async with (
        serve() as server, await server.sdk("alice", clock=clock, features=[LastActivities]) as alice,
        await server.sdk("bob") as bob, asyncio.timeout(20),
    ):  # fmt: skip
        with pytest.raises(StanzaError):
            await bob.need(LastActivities).of(alice.jid)
        alice.need(Presences).policy = everybody
        changes, seen = alice.need(Roster).changes(), bob.presences(lambda one: one.sender == alice.jid)
        await bob.need(Presences).subscribe(alice.account)
        while (change := await anext(changes)).after is None or change.after.subscription not in ("from", "both"):
            pass
        await anext(seen)
        clock.advance(90)
        assert await bob.need(LastActivities).of(alice.jid) == (timedelta(seconds=90), "")
        alice.need(LastActivities).active()
        assert (await bob.need(LastActivities).of(alice.jid))[0] == timedelta()
        assert (await bob.need(LastActivities).of("localhost"))[1] == ""


async def test_strangers_are_told_nothing() -> None:
    """§7: also where the server let the question through, for the client was shown directly."""
    async with (
        serve() as server, await server.sdk("alice", features=[LastActivities]) as alice,
        await server.sdk("bob") as bob, asyncio.timeout(20),
    ):  # fmt: skip
        await alice.send(Presence(bob.jid))
        await alice.settle()
        with pytest.raises(StanzaError, match="forbidden"):
            await bob.need(LastActivities).of(alice.jid)
