"""A server that is killed with SIGKILL, again and again, while people chat over it, and what they lack afterwards: for
this server as a test, and side by side with others as `scripts/kills`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from bench.peers import Peer, Running, ejabberd, prosody

from bench import client as generator
from chirrup import __version__
from chirrup.net import certificates
from tests.plugins.devices import Town
from tests.plugins.programs import ServerProcess
from tests.plugins.proxy import Proxy

PEOPLE: Final = 10
PAUSE: Final = 0.2
"""Seconds between messages of a device, on average."""
UP: Final = 1.0
"""Seconds until it is killed again, at most, once everybody is back."""
HASTE: Final = 0.2
"""The share of kills that don't wait for everybody to be back."""
SETTINGS: Final = """
limits.bytes_per_second = 1_000_000_000
limits.burst_bytes = 1_000_000_000
"""


class Killable(Protocol):
    """A server with data that outlives it."""

    @property
    def port(self) -> int: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of messages that the server acknowledged, the last ones after they had been sent again."""

    kills: int
    messages: int
    lost: list[str]
    """Neither a device of their receiver has them, nor its archive."""
    unarchived: list[str]
    """In the archive of their sender or their receiver they are missing."""
    unshown: list[str]
    """A device of one of the two hasn't got them."""
    twice: int
    """Messages that a device shows more than once: they were sent again, since they weren't acknowledged."""
    disordered: list[str]
    """Devices whose messages are not in the archive as they wrote them, even without those that are there twice."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.messages} messages acknowledged, {len(self.lost)} lost, "
            f"{len(self.unarchived)} missing in an archive, {len(self.unshown)} missing on a device, "
            f"{self.twice} more than once on a device, {len(self.disordered)} devices' messages out of order"
        )


async def run(server: Killable, town: Town, kills: int, seconds: float = float("inf")) -> Outcome:
    """Kill a server that runs, and whose accounts are made, so often, or for so many seconds; see what is lacking."""
    choose, until, done = town.choose, time.monotonic() + seconds, 0
    await town.come()
    try:
        town.chat(PAUSE, ask=True)
        while done < kills and time.monotonic() < until:
            if choose.random() > HASTE:
                await asyncio.gather(*[device.client.online() for device in town.devices])
            await asyncio.sleep(choose.uniform(0, UP))
            server.kill()
            done += 1
            await asyncio.to_thread(server.start)
            assert not town.offline, town.offline
        town.fall_silent()
        await town.settle()
        return await outcome(town, done)
    finally:
        await town.leave()


async def outcome(town: Town, kills: int) -> Outcome:
    """What became of what people wrote who have all come back."""
    archives = await town.archives()
    archived = {name: set(texts) for name, texts in archives.items()}
    shown = {device.name: device.history.texts for device in town.devices}
    lost, unarchived, unshown, disordered = list[str](), list[str](), list[str](), list[str]()
    for device in town.devices:
        for number, to in enumerate(device.sent_to):
            text = f"{device.name} {number}"
            theirs = [other for other in town.devices if other.account == to]
            others = [other for other in town.devices if other.account == device.account and other is not device]
            if not any(text in shown[other.name] for other in theirs) and text not in archived[to]:
                lost.append(text)
            unarchived += [f"{text} ({name})" for name in (device.account, to) if text not in archived[name]]
            unshown += [f"{text} ({other.name})" for other in theirs + others if text not in shown[other.name]]
        own = list(dict.fromkeys(device.own(archives[device.account])))
        if own != sorted(own, key=lambda text: int(text.split()[1])):
            disordered.append(device.name)
    twice = sum(1 for texts in shown.values() for count in texts.values() if count > 1)
    return Outcome(kills, town.sent(), lost, unarchived, unshown, twice, disordered)


# -- side by side


class PeerServer:
    """One of the servers that people would pick instead, as bench/ configures it."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        self._peer = peer
        self._folder = folder
        self._pair = certificates.make("localhost", folder, time.time())
        self._running: Running | None = None

    @property
    def port(self) -> int:
        return self._running.port if self._running is not None else 1

    def start(self) -> None:
        self._running = self._peer.start(self._folder, self._pair.certificate, self._pair.key)

    def kill(self) -> None:
        if self._running is not None:
            os.killpg(self._running.process.pid, signal.SIGKILL)
            self._running.process.stop()
            self._running = None


PEERS: Final = {"prosody": prosody.PROSODY, "ejabberd": ejabberd.EJABBERD}


async def compare(name: str, kills: int, seconds: float, seed: int) -> tuple[str, Outcome]:
    """A server's version, and its outcome."""
    names = [f"person{number}" for number in range(PEOPLE)]
    options: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        server: ServerProcess | PeerServer
        if name == "chirrup":
            server, version = ServerProcess(Path(folder), plaintext=True, extra=SETTINGS), __version__
            server.start()
            server.add_accounts(*names, password=generator.PASSWORD)
        else:
            server, version = PeerServer(PEERS[name], Path(folder)), PEERS[name].version() or "?"
            server.start()
            for account in names:
                (await generator.connect(server.port, account, register=True)).close()
            options["channel_binding"] = name != "ejabberd"
        try:
            choose = random.Random(seed)
            async with Proxy(lambda: server.port, choose, outage=0) as proxy:
                town = Town(proxy, choose, names, password=generator.PASSWORD, options=options)
                return version, await run(server, town, kills, seconds)
        finally:
            server.kill()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="scripts/kills", description=__doc__)
    parser.add_argument("servers", nargs="*", default=["chirrup", *PEERS], help=f"of chirrup, {', '.join(PEERS)}")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long at most, each")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args(arguments)
    logging.getLogger("chirrup.client").setLevel(logging.ERROR)  # that connections are lost is the point
    for name in options.servers:
        version, outcome = asyncio.run(compare(name, options.kills, options.seconds, options.seed))
        print(f"{name} {version}, seed {options.seed}: {outcome}", flush=True)
        for kind in ("lost", "unarchived", "unshown", "disordered"):
            some = Counter(getattr(outcome, kind)).most_common(5)
            print("".join(f"  {kind}: {one}\n" for one, _ in some), end="", flush=True)


if __name__ == "__main__":
    main()
