"""What tests of XMPP programs need: a whole server, clients, scenarios, a clock that stands still.

async with chirrup.testing.serve() as server:
    alice = await server.client("alice", presence=True)
    bob = await server.client("bob")
    bob.send("<message to='alice@localhost' type='chat'><body>hi</body></message>")
    assert (await alice.receive()).child_text("body") == "hi"
"""

from __future__ import annotations

from chirrup.testing.client import Refused, TestClient
from chirrup.testing.clock import FakeClock
from chirrup.testing.pair import Pair, pair
from chirrup.testing.rehearsal import Person, Stage, rehearse
from chirrup.testing.server import PASSWORD, TestServer, serve

__all__ = [
    "PASSWORD",
    "FakeClock",
    "Pair",
    "Person",
    "Refused",
    "Stage",
    "TestClient",
    "TestServer",
    "pair",
    "rehearse",
    "serve",
]
