"""Clients that write to accounts nobody is logged in to, who know what the server has acknowledged, and those accounts'
clients, who come and see what was kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests.plugins.programs import ServerProcess

from chirrup.core.stanza import read_error, result
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient
from chirrup.testing.client import credentials

WINDOW = 3
"""Pings that a sender may have on the way."""
LIMITS = """
limits.offline_messages = 1_000_000
limits.bytes_per_second = 1_000_000_000
limits.burst_bytes = 1_000_000_000
"""
"""What keeps a server from being tried hard."""


def ping(identifier: str) -> Element:
    return Element("iq", CLIENT, Element("ping", "urn:xmpp:ping"), type="get", to="localhost", id=identifier)


def message(to: str, text: str, identifier: str) -> Element:
    return Element("message", CLIENT, Element("body", CLIENT, text), type="chat", to=to, id=identifier)


async def connect(server: ServerProcess, name: str) -> TestClient:
    client = await TestClient.connect("127.0.0.1", server.port)
    await client.log_in(credentials(name, "secret", "faults", tls_required=False), "localhost")
    return client


@dataclass
class Sender:
    """A client that writes to other accounts in turn, and asks for acknowledgements: an answered ping acknowledges
    all that was sent before it."""

    name: str
    receivers: Sequence[str]
    run: int
    """Which of the sender's runs it is; with the numbers from 0 that messages have it tells them apart."""
    choose: random.Random
    padding: str = ""
    sent: int = 0
    acknowledged: int = 0
    """The messages before this number are."""
    refused: dict[int, str] = field(default_factory=dict)
    """Messages that came back, with the condition."""
    client: TestClient | None = None

    async def log_in(self, server: ServerProcess) -> None:
        self.client = await connect(server, self.name)

    def send(self, count: int) -> None:
        """Send some messages, and a ping."""
        assert self.client is not None
        for number in range(self.sent, self.sent + count):
            to = f"{self.choose.choice(self.receivers)}@localhost"
            self.client.send(message(to, f"{self.name} {self.run} {number} {self.padding}", str(number)))
        self.sent += count
        self.client.send(ping(str(self.sent)))

    async def hear(self) -> bool:
        """Take one stanza in; whether it was an acknowledgement. ConnectionError at the end."""
        assert self.client is not None
        stanza = await self.client.receive_any()
        if stanza.get("type") == "error":
            self.refused[int(stanza.get("id"))] = read_error(stanza).condition
        elif stanza.name == "iq":
            self.acknowledged = int(stanza.get("id"))
            return True
        return False

    async def send_and_hear(self, count: int) -> None:
        """Send some messages, and wait until the server has answered for them."""
        self.send(count)
        while not await self.hear():
            pass

    async def send_until_the_end(self) -> None:
        """Send and hear until the server ends it, and leave."""
        assert self.client is not None
        window = asyncio.Semaphore(WINDOW)

        async def send() -> None:
            while True:
                await window.acquire()
                self.send(self.choose.randint(1, 20))

        sending = asyncio.ensure_future(send())
        try:
            with contextlib.suppress(ConnectionError):
                while True:
                    if await self.hear():
                        window.release()
        finally:
            sending.cancel()
            self.client.drop()


@dataclass
class Receiver:
    """An account that others write to, and all that it got."""

    name: str
    got: list[tuple[str, int, int]] = field(default_factory=list)
    """Sender, run and number of each message, as they came."""

    async def collect(self, server: ServerProcess) -> None:
        """Log in, take all that is kept, confirm it, and log out. ConnectionError where the server goes."""
        client = await connect(server, self.name)
        async with client:
            client.send("<presence/>")
            client.send(message(f"{self.name}@localhost", "that was all", "end"))  # comes behind what is kept
            while True:
                stanza = await client.receive()
                if stanza.name == "message" and stanza.get("id") == "end":
                    client.send(ping("all"))  # answered behind the server's question, if it has one
                elif stanza.name == "message":
                    sender, run, number = stanza.child_text("body").split()[:3]
                    self.got.append((sender, int(run), int(number)))
                elif stanza.name == "iq" and stanza.get("type") == "get":
                    client.send(result(stanza))
                elif stanza.get("id") == "all":
                    await client.close()
                    return

    def of(self, sender: Sender) -> list[int]:
        """Numbers of the messages that came of one sender's run, in the order they came."""
        return [number for name, run, number in self.got if (name, run) == (sender.name, sender.run)]


def missing(sender: Sender, receivers: Sequence[Receiver], up_to: int) -> list[int]:
    """Which of a sender's messages before number `up_to` nobody has got, though they weren't refused."""
    got = {number for receiver in receivers for number in receiver.of(sender)}
    return [number for number in range(up_to) if number not in got and number not in sender.refused]


@dataclass
class Crowd:
    """Senders and receivers of one server, run after run."""

    server: ServerProcess
    choose: random.Random
    senders: Sequence[str]
    receivers: Sequence[Receiver]
    runs: int = 0

    async def log_in(self) -> list[Sender]:
        """A new run of every sender."""
        self.runs += 1
        names = [receiver.name for receiver in self.receivers]
        senders = [Sender(name, names, self.runs, random.Random(self.choose.random())) for name in self.senders]
        await asyncio.gather(*[sender.log_in(self.server) for sender in senders])
        return senders

    async def collect(self) -> None:
        await asyncio.gather(*[receiver.collect(self.server) for receiver in self.receivers])

    def check(self, senders: Sequence[Sender], *, repeated: bool = False) -> None:
        """See that the receivers have got all that was acknowledged in this run, in order, and nothing twice unless
        `repeated`; and of what wasn't acknowledged the beginning, without gaps. What they got is forgotten then."""
        for sender in senders:
            lost = missing(sender, self.receivers, sender.acknowledged)
            assert not lost, f"acknowledged to {sender.name} and lost: {lost}"
            numbers: set[int] = set()
            for receiver in self.receivers:
                came = receiver.of(sender)
                once = sorted(set(came))
                assert (list(dict.fromkeys(came)) if repeated else came) == once, (sender.name, receiver.name, came)
                numbers.update(once)
            overtaken = missing(sender, self.receivers, max(numbers, default=0))
            assert not overtaken, f"later messages of {sender.name} were kept, and these were not: {overtaken}"
            assert not numbers & set(sender.refused), f"refused to {sender.name}, and kept"
        if any(sender.acknowledged for sender in senders):  # so that what was stored before is on the disk
            came_again = {run for receiver in self.receivers for _, run, _ in receiver.got} - {self.runs}
            assert not came_again, f"messages of run {came_again} came again"
        for receiver in self.receivers:
            receiver.got.clear()


@pytest.fixture
def choose() -> random.Random:
    """Where chance comes from; CHIRRUP_FAULT_SEED repeats what it chose (but not what the machine makes of it)."""
    seed = os.environ.get("CHIRRUP_FAULT_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"CHIRRUP_FAULT_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def people() -> Callable[..., tuple[Sender, Receiver]]:
    """Makes a sender of long messages, and their receiver."""

    def make(sender: str, receiver: str) -> tuple[Sender, Receiver]:
        return Sender(sender, [receiver], 1, random.Random(0), padding="x" * 2000), Receiver(receiver)

    return make


@pytest.fixture
def crowd(server_process: Callable[..., ServerProcess], choose: random.Random) -> Crowd:
    """Twenty senders, twenty receivers, and a server that has just been started."""
    server = server_process(plaintext=True, extra=LIMITS)
    server.start()
    senders = [f"sender{number}" for number in range(20)]
    receivers = [Receiver(f"receiver{number}") for number in range(20)]
    server.add_accounts(*senders, *(receiver.name for receiver in receivers))
    return Crowd(server, choose, senders, receivers)
