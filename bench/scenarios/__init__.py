"""What is measured: a scenario is given a running server, does its work, and says what it found.

A later one (stream management, archive, rooms, pubsub, federation, WebSocket) is a file here with one function, and
one entry in `scenarios` below. The function logs its clients in (`bench.client.available`), takes a `Meter` when the
work that counts begins, counts what arrives with `Counter`, and returns `meter.result(unit, units, lost=…)`. What the
servers need for it is switched on in bench/peers/, in all of them alike. Nothing else knows the scenarios by name.
"""

from __future__ import annotations

from functools import partial

from bench.scenarios.archive import fill, last_page
from bench.scenarios.chat import PASSING, PASSING_REALISTIC, REALISTIC, SMALL, chat, chat_bare
from bench.scenarios.detached import detached
from bench.scenarios.idle import idle
from bench.scenarios.latency import latency
from bench.scenarios.managed import chat_managed
from bench.scenarios.offline import offline
from bench.scenarios.presence import presence
from bench.scenarios.result import Meter, Result, Scenario
from bench.scenarios.resume import resume

__all__ = ["Meter", "Result", "Scenario", "scenarios"]


def scenarios(scale: float = 1.0) -> dict[str, Scenario]:
    """The scenarios by name, in the order in which they are reported; `scale` shrinks or grows the work."""

    def of(count: int) -> int:
        return max(20, int(count * scale))

    seconds = 8 * scale  # how long a slow server works: its units are fewer then
    many = partial(chat, pairs=20, window=64, messages=of(60_000), longest=seconds)
    one = partial(chat, pairs=20, window=1, messages=of(30_000), longest=seconds)
    managed = partial(chat_managed, pairs=20, window=64, messages=of(60_000), longest=seconds)
    bare = partial(chat_bare, pairs=20, window=64, messages=of(40_000), longest=seconds)
    steady = partial(latency, pairs=20, rate=2_000, seconds=10 * scale)
    return {
        "chat, plain, archived": Scenario(partial(many, body=SMALL, tls=False), relay=True),
        "chat, TLS, archived": Scenario(partial(many, body=SMALL, tls=True), relay=True, variants=True),
        "chat, TLS, realistic, archived": Scenario(partial(many, body=REALISTIC, tls=True), relay=True),
        "chat, TLS, stream management, carbons, archived": Scenario(partial(managed, body=REALISTIC), variants=True),
        "chat, plain, one in flight, archived": Scenario(partial(one, body=SMALL, tls=False), relay=True),
        "chat, TLS, one in flight, archived": Scenario(partial(one, body=SMALL, tls=True), relay=True),
        "chat to bare JIDs, two clients, archived": Scenario(partial(bare, body=SMALL)),
        "chat, plain, not kept": Scenario(partial(many, body=PASSING, tls=False), relay=True),
        "chat, TLS, not kept": Scenario(partial(many, body=PASSING, tls=True), relay=True),
        "chat, TLS, realistic, not kept": Scenario(partial(many, body=PASSING_REALISTIC, tls=True), relay=True),
        "chat, TLS, stream management, carbons, not kept": Scenario(partial(managed, body=PASSING_REALISTIC)),
        "chat, plain, one in flight, not kept": Scenario(partial(one, body=PASSING, tls=False), relay=True),
        "chat, TLS, one in flight, not kept": Scenario(partial(one, body=PASSING, tls=True), relay=True),
        "chat to bare JIDs, two clients, not kept": Scenario(partial(bare, body=PASSING)),
        "archive, last 50 of 100,000": Scenario(
            partial(last_page, queries=of(500), longest=seconds),
            variants=True,
            prepare=partial(fill, messages=min(100_000, of(400_000)), longest=60 * scale),
        ),
        "offline": Scenario(partial(offline, senders=20, messages=of(18_000), longest=seconds), variants=True),
        "log-ins and 2,000 idle sessions": Scenario(partial(idle, sessions=of(2_000))),
        "log-ins and 10,000 idle sessions": Scenario(partial(idle, sessions=of(10_000)), once=True),
        "resumption": Scenario(partial(resume, sessions=200, times=max(1, round(10 * scale)))),
        "detached sessions": Scenario(partial(detached, sessions=of(1_000))),
        "presence": Scenario(partial(presence, users=of(500), contacts=20, changes=10)),
        "latency at 2,000/s, archived": Scenario(partial(steady, body=SMALL)),
        "latency at 2,000/s, not kept": Scenario(partial(steady, body=PASSING)),
    }
