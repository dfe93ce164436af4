"""The guard: what a stanza costs in this tree, in ratio to a loop of Python and expat, against bench/baseline.json.

The real server runs in this process, on connections that lead nowhere: its parser, sessions, router, delivery, modules,
serialiser and store work as ever, but neither the network nor TLS does. Work and calibration take turns in short
stretches of CPU time, and of each the shortest counts: what else the machine does can only make a stretch longer. Three
processes do that one after another, as memory lies differently in each; the lowest ratio counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from xml.parsers import expat

import uvloop

from bench.client import PASSWORD, Connection
from bench.scenarios.chat import REALISTIC, SMALL
from chirrup.server.c2s import ClientConnection
from chirrup.server.listen import Listeners
from chirrup.testing.server import TestServer, serve

BASELINE: Final = Path(__file__).with_name("baseline.json")
WORSE: Final = 0.25
"""By how much a figure may exceed its baseline."""
_PROCESSES: Final = 3
_ROUNDS: Final = 25
_STANZAS: Final = 1500
"""Deliveries in one stretch of work, about."""
_SETTINGS: Final = {
    "limits": {"bytes_per_second": 10**9, "burst_bytes": 10**9, "connections_per_address": 1000},
}

Work = Callable[[], Awaitable[int]]
"""A stretch of work; returns how many stanzas were delivered."""


class Wire(asyncio.Transport):
    """A transport that gives what is written to a function."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.write = write  # type: ignore[assignment,method-assign]

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None: ...
    def abort(self) -> None: ...


class Line:
    """A client that has logged in, without a socket: `send` gives octets to the server, `count` is what came back."""

    def __init__(self, server: TestServer) -> None:
        self.end = ClientConnection(server.server, Listeners(server.server), direct_tls=False, plaintext=True)
        self.client = Connection()
        # Each end is to be done with what it was given before the other one answers.
        self.client.connection_made(Wire(lambda data: self.end.loop.call_soon(self.end.data_received, data)))
        self.end.connection_made(Wire(self.client.data_received))
        self.count = 0

    def counted(self, needle: bytes) -> None:
        def look(data: bytes) -> None:
            self.count += data.count(needle)

        self.client.on_data = look


_UNARCHIVED: Final = (
    b"<iq type='set' id='prefs'><prefs xmlns='urn:xmpp:mam:2' default='never'><always/><never/></prefs></iq>"
)


async def log_in(server: TestServer, jid: str, *, archived: bool = False) -> Line:
    """Unless their messages are archived the store has nothing to do, which would hide what all else costs."""
    user, _, resource = jid.partition("/")
    await server.add_account(user, PASSWORD)
    line = Line(server)
    await line.client.log_in(user, resource, tls=False)
    line.client.write(b"<presence/>" if archived else b"<presence/>" + _UNARCHIVED)
    await line.client.settle()
    return line


async def works(server: TestServer) -> dict[str, Work]:
    """What is measured, by name."""
    alice = await log_in(server, "alice/a-resource")
    bob = await log_in(server, "bob/a-resource")
    carol = [await log_in(server, f"carol/{resource}") for resource in ("phone", "laptop")]
    dave, erin = [await log_in(server, f"{user}/a-resource", archived=True) for user in ("dave", "erin")]
    watched = await _watched(server, 20)
    full, bare = bob.client.jid, carol[0].client.jid.partition("/")[0]
    for line in (bob, *carol, erin):
        line.counted(b"</message>")
    return {
        "chat, 64 a turn": sending(alice, [bob], SMALL.format(to=full), 64),
        "chat, 1 a turn": sending(alice, [bob], SMALL.format(to=full), 1),
        "chat, realistic, 64 a turn": sending(alice, [bob], REALISTIC.format(to=full), 64),
        "the same, archived by both": sending(dave, [erin], REALISTIC.format(to=erin.client.jid), 64),
        "chat to a bare JID, two clients": sending(alice, carol, SMALL.format(to=bare), 32),
        "presence to 20 contacts": sending(watched[0], watched[1:], "<presence><show>away</show></presence>", 4),
    }


async def _watched(server: TestServer, contacts: int) -> list[Line]:
    """Someone, and contacts who see that one's presence."""
    lines = [await log_in(server, f"contact{number}/a-resource") for number in range(contacts + 1)]
    someone, *others = lines
    for kind, ask, answer in (("subscribe", others, [someone]), ("subscribed", [someone], others)):
        for line in ask:
            for other in answer:
                to = other.client.jid.partition("/")[0]
                line.client.write(f"<presence type='{kind}' to='{to}'/>".encode())
            await line.client.settle()
    for line in others:
        await line.client.settle()
        line.counted(b"<show>")
    return lines


def sending(sender: Line, receivers: list[Line], stanza: str, many: int) -> Work:
    """One client sends so many stanzas in each turn of the loop. RuntimeError if they don't arrive: a figure for work
    that wasn't done is none."""
    data = stanza.encode() * many
    each = max(1, _STANZAS // many // len(receivers))

    async def work() -> int:
        before = sum(line.count for line in receivers)
        for _ in range(each):
            sender.end.data_received(data)
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        await sender.end.server.store.settled()  # what a stanza costs to keep is part of its cost
        delivered = sum(line.count for line in receivers) - before
        if delivered != each * many * len(receivers):
            raise RuntimeError(f"{delivered} of {each * many * len(receivers)} stanzas arrived: {stanza}")
        return delivered

    return work


def calibrate() -> None:
    """What a server of XMPP in Python mostly does: expat with handlers in Python, small objects, dictionaries."""
    made: list[tuple[str, dict[str, str]]] = []
    known: dict[str, int] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        known[name] = known.get(name, 0) + 1
        made.append((name, attributes))

    def end(name: str) -> None:
        known[name] -= 1

    parser = expat.ParserCreate("utf-8", "}")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.Parse("<stream xmlns='jabber:client'>")
    for number in range(300):
        parser.Parse(REALISTIC.format(to=f"bob{number % 20}@localhost/a-resource"))
        text = "".join(f"<{name.rpartition('}')[2]} {len(attributes)}>" for name, attributes in made)
        if text.encode().count(b"<") != len(made):
            raise RuntimeError("can't count")
        made.clear()


async def _measure() -> dict[str, float]:
    """Microseconds a delivery by work, and of one calibration by "calibration"."""
    best: dict[str, float] = {}

    def keep(name: str, value: float) -> None:
        best[name] = min(best.get(name, value), value)

    async with serve(_SETTINGS) as server:
        measured = await works(server)
        for work in measured.values():
            await work()
        gc.collect()
        gc.freeze()  # both as `chirrup serve` has it
        gc.set_threshold(10_000, 20, 20)
        for _ in range(_ROUNDS):
            for name, work in measured.items():
                began = time.process_time_ns()
                calibrate()
                keep("calibration", (time.process_time_ns() - began) / 1e3)
                began = time.process_time_ns()
                count = await work()
                keep(name, (time.process_time_ns() - began) / 1e3 / count)
    return best


def ratios() -> dict[str, float]:
    """Thousandths of a calibration for a delivery, by work: the lowest of several processes."""
    lowest: dict[str, float] = {}
    for _ in range(_PROCESSES):
        command = [sys.executable, "-m", "bench.quick"]
        env = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=env, cwd=BASELINE.parents[1], stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        calibration = found.pop("calibration")
        for name, value in found.items():
            lowest[name] = min(lowest.get(name, float("inf")), value / calibration * 1e3)
    return lowest


def compare(*, save: bool) -> int:
    """Print how this tree compares with the baseline of this version of Python; 1 if any figure is worse by `WORSE`.

    With `save` what was found becomes the baseline."""
    python = ".".join(platform.python_version_tuple()[:2])
    known: dict[str, dict[str, float]] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    found = ratios()
    lines, worse = comparison(known.get(python, {}), found)
    print("\n".join(lines))
    if save:
        known[python] = {name: round(value, 3) for name, value in found.items()}
        BASELINE.write_text(json.dumps(known, indent=1) + "\n")
        return 0
    if python not in known:
        print(f"bench: bench/baseline.json has no figures for Python {python}; nothing to compare with")
        return 0
    if worse:
        print(f"bench: over {WORSE:.0%} worse than bench/baseline.json: {'; '.join(worse)}")
    return 1 if worse else 0


def comparison(known: dict[str, float], found: dict[str, float]) -> tuple[list[str], list[str]]:
    """A table in lines, and the names of what became too dear."""
    lines = [f"{'thousandths of a calibration, for one stanza delivered':56} baseline      now   change"]
    worse = []
    for name, value in found.items():
        base = known.get(name)
        change = f"{value / base - 1:+8.1%}" if base else "     new"
        lines.append(f"{name:56} {base or 0:8.3f} {value:8.3f} {change}")
        if base and value > base * (1 + WORSE):
            worse.append(name)
    return lines, worse


if __name__ == "__main__":
    logging.getLogger("chirrup").setLevel(logging.ERROR)  # it would warn of the certificate that it makes
    print(json.dumps(uvloop.run(_measure())))
