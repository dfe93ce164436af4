"""The disk is full: what can't be stored isn't acknowledged, or returned to those who know of no acknowledgements; the
server lives, and goes on when there is room again."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.errors import StreamError
from chirrup.core.features.resume import NS as MANAGEMENT
from chirrup.core.features.resume import Management, SessionResumed, managed
from chirrup.core.stream import CLIENT_FEATURES
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import NS as ARCHIVE
from chirrup.ext.archive.payloads import Fin, Query, Result
from chirrup.ext.rsm.payloads import Set
from chirrup.testing import TestClient
from chirrup.testing.client import credentials

MEGABYTES = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room, in memory; root can make one, where it isn't kept from that."""
    folder = tmp_path / "server" / "data"
    folder.mkdir(parents=True)
    ran = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        pytest.skip(f"can't make a small disk here, which takes root: {ran.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take up all the room there is; gives it back by being deleted."""
    file = folder / "something-else"
    with file.open("wb", buffering=0) as out, suppress(OSError):
        for size in (65_536, 4096, 1):
            with suppress(OSError):
                while True:
                    out.write(bytes(size))
    return file


async def test_what_cannot_be_stored_is_refused_until_there_is_room(
    small_disk: Path, server_process: Callable[..., Any], people: Any
) -> None:
    server = server_process(plaintext=True)
    server.start()
    server.add_accounts("alice", "bob")
    alice, bob = people("alice", "bob")
    await alice.log_in(server)

    await alice.send_and_hear(20)
    assert not alice.refused
    assert alice.acknowledged == 20

    rest = fill(small_disk)
    while not alice.refused:
        assert alice.sent < 20 * MEGABYTES * 1024, "all was stored, on a disk that is full"
        await alice.send_and_hear(20)
    stored = alice.sent - len(alice.refused)
    await alice.send_and_hear(3)
    assert len(alice.refused) == alice.sent - stored
    assert set(alice.refused.values()) == {"internal-server-error"}
    store = json.loads(server.command("status", "--json"))["store"]
    assert not store["healthy"]
    assert "no room left on the disk" in store["last_error"]
    assert [line for line in server.complaints if "no room left on the disk" in line]
    assert "Traceback" not in server.log

    rest.unlink()
    refused = len(alice.refused)
    await alice.send_and_hear(20)
    assert len(alice.refused) == refused
    assert json.loads(server.command("status", "--json"))["store"]["healthy"]
    await alice.client.close()
    assert server.stop() == 0

    server.start()
    await bob.collect(server)
    assert bob.of(alice) == [number for number in range(alice.sent) if number not in alice.refused]


async def connect(server: Any, name: str) -> TestClient:
    client = await TestClient.connect("127.0.0.1", server.port)
    await client.log_in(credentials(name, "secret", "faults", tls_required=False), "localhost")
    return client


async def archived(client: TestClient) -> list[int]:
    """The numbers of the messages in a client's archive."""
    found: list[int] = []
    page = Set(max=250)
    while True:
        answer = await client.ask(Element("iq", CLIENT, Query(set=page).to_element(), type="set"))
        assert answer.first is not None
        results = [stanza.child("result", ARCHIVE) for stanza in client.received]
        found += [int(Result.parse(result).forwarded.stanza.get("id")) for result in results if result is not None]
        client.received.clear()
        fin = Fin.parse(answer.first)
        if fin.complete:
            return found
        assert fin.set is not None
        page = Set(max=250, after=fin.set.last)


async def test_messages_flow_while_they_cannot_be_archived(
    small_disk: Path, server_process: Callable[..., Any], people: Any
) -> None:
    server = server_process(plaintext=True)
    server.start()
    server.add_accounts("alice", "bob")
    alice, _ = people("alice", "bob")
    await alice.log_in(server)
    bob = await connect(server, "bob")
    bob.send("<presence/>")
    await bob.settle()

    await alice.send_and_hear(20)
    rest = fill(small_disk)
    while not alice.refused:
        assert alice.sent < 20 * MEGABYTES * 1024, "all was archived, on a disk that is full"
        await alice.send_and_hear(20)
    await alice.send_and_hear(20)
    await bob.settle()
    heard = [int(stanza.get("id")) for stanza in bob.received if stanza.name == "message"]
    bob.received.clear()
    assert heard == list(range(alice.sent)), "what can't be archived is delivered all the same"
    assert "no room left on the disk" in json.loads(server.command("status", "--json"))["store"]["last_error"]
    assert len([line for line in server.complaints if "no room left on the disk" in line]) == 1
    assert "Traceback" not in server.log

    rest.unlink()
    await alice.send_and_hear(20)
    acknowledged = [number for number in range(alice.sent) if number not in alice.refused]
    assert await archived(alice.client) == acknowledged
    bob.received.clear()
    assert await archived(bob) == acknowledged
    await alice.client.close()
    await bob.close()
    assert server.stop() == 0


class Device:
    """A client with stream management, which comes back to its session and sends again what isn't acknowledged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.management = Management()
        self.sent = 0
        self.answers: list[Element] = []
        self.client: TestClient | None = None

    async def connect(self, server: Any) -> bool:
        """Whether the former session goes on."""
        self.client = await TestClient.connect("127.0.0.1", server.port)
        policy = credentials(self.name, "secret", "faults", tls_required=False)
        await self.client.log_in(policy, "localhost", managed(CLIENT_FEATURES, self.management))
        resumed = any(isinstance(event, SessionResumed) for event in self.client.told)
        if resumed:
            for octets in self.management.unacknowledged:
                self.client.send(octets)
            return True
        lost, self.management.lost = self.management.lost, []
        for octets, _ in lost:
            self.send(octets)
        return False

    def send(self, octets: bytes) -> None:
        assert self.client is not None
        self.client.send(octets)
        self.management.sent(octets, 0.0)

    def write(self, count: int = 1) -> None:
        """Send messages, and ask for their acknowledgement."""
        assert self.client is not None
        for number in range(self.sent, self.sent + count):
            body = Element("body", CLIENT, "x" * 2000)
            self.send(Element("message", CLIENT, body, type="chat", to="bob@localhost", id=number).to_bytes())
        self.sent += count
        self.client.send(self.management.ask())

    async def hear(self) -> None:
        """Take in the server's next word on what is acknowledged, or an answer."""
        assert self.client is not None
        stanza = await self.client.receive()
        if stanza.ns == MANAGEMENT:
            self.client.send(self.management.handle(stanza))
        else:
            self.management.count()
            self.answers.append(stanza)

    async def hear_acknowledged(self, number: int) -> None:
        """Until all messages before that one are acknowledged."""
        while self.acknowledged < number:
            await self.hear()

    @property
    def acknowledged(self) -> int:
        """The messages before this number are."""
        return self.sent - len(self.management.ledger.queue) - len(self.management.lost)

    async def fill_up(self, server: Any, folder: Path) -> Path:
        """Fill the disk, and write until nothing more is acknowledged; the file to delete."""
        rest = fill(folder)
        while True:
            assert self.sent < 20 * MEGABYTES * 1024, "all was stored, on a disk that is full"
            self.write()
            before = self.acknowledged
            while self.acknowledged == before and not store_of(server)["held"]:
                await self.hear()
            if store_of(server)["held"]:
                return rest

    def cut(self) -> None:
        assert self.client is not None
        self.client.drop()
        self.management.disconnected()


def store_of(server: Any) -> dict[str, Any]:
    store: dict[str, Any] = json.loads(server.command("status", "--json"))["store"]
    return store


@pytest.fixture
def chat(small_disk: Path, server_process: Callable[..., Any]) -> Callable[[], Any]:
    """A server on the small disk, alice with stream management, and bob who is there."""

    async def begin() -> tuple[Any, Device, TestClient]:
        server = server_process(plaintext=True)
        server.start()
        server.add_accounts("alice", "bob")
        alice, bob = Device("alice"), await connect(server, "bob")
        bob.send("<presence/>")
        await bob.settle()
        await alice.connect(server)
        alice.write(20)
        await alice.hear_acknowledged(20)
        return server, alice, bob

    return begin


async def numbers(client: TestClient, count: int) -> list[int]:
    """Of the next messages."""
    found: list[int] = []
    while len(found) < count:
        stanza = await client.receive()
        if stanza.name == "message":
            found.append(int(stanza.get("id")))
    return found


async def test_acknowledgements_stop_and_go_on_when_there_is_room(small_disk: Path, chat: Any) -> None:
    server, alice, bob = await chat()
    rest = await alice.fill_up(server, small_disk)
    stored = alice.acknowledged
    for _ in range(10):
        alice.write(5)
    ping = Element("iq", CLIENT, Element("ping", "urn:xmpp:ping"), type="get", to="localhost", id="ping")
    assert await numbers(bob, alice.sent) == list(range(alice.sent)), "messages flow"
    alice.send(ping.to_bytes())
    while not alice.answers:
        await alice.hear()
    assert alice.answers[0].get("id") == "ping"
    alice.write(0)
    await alice.hear()
    assert alice.management.ledger.acknowledged == stored
    store = store_of(server)
    assert not store["healthy"]
    assert store["held"] >= 2 * 50
    assert "no room left on the disk" in store["last_error"]
    assert "wait in memory, unacknowledged" in server.command("status")
    rest.unlink()
    while alice.management.ledger.queue:
        await alice.hear()
    store = store_of(server)
    assert (store["healthy"], store["held"]) == (True, 0)
    bob.received.clear()
    assert await archived(bob) == list(range(alice.sent))
    assert len([line for line in server.complaints if "no room left on the disk" in line]) == 1
    assert len([line for line in server.log.splitlines() if "storage works again" in line]) == 1
    assert "Traceback" not in server.log
    alice.cut()
    other = await connect(server, "alice")
    assert await archived(other) == list(range(alice.sent))
    await other.close()
    await bob.close()
    assert server.stop() == 0


@pytest.mark.parametrize("by", ["SIGTERM", "SIGKILL"])
async def test_a_server_that_ends_meanwhile_loses_nothing_that_it_has_acknowledged(
    small_disk: Path, chat: Any, by: str
) -> None:
    server, alice, bob = await chat()
    rest = await alice.fill_up(server, small_disk)
    alice.write(10)
    assert await numbers(bob, alice.sent) == list(range(alice.sent))
    stored = alice.acknowledged
    if by == "SIGKILL":
        server.kill()
    else:
        ending = asyncio.create_task(asyncio.to_thread(server.stop))
        with suppress(StreamError, ConnectionError):
            while True:
                await alice.hear()
        alice.cut()
        bob.drop()
        assert await ending == 0
        assert len([line for line in server.log.splitlines() if "messages were not stored" in line]) == 1
        assert "Traceback" not in server.log
    assert alice.acknowledged == stored < alice.sent
    alice.cut()
    bob.drop()
    rest.unlink()
    server.start()
    bob = await connect(server, "bob")
    assert (await archived(bob))[:stored] == list(range(stored)), "what was acknowledged"
    assert not await alice.connect(server), "sessions don't outlive the server"
    alice.write()
    await alice.hear_acknowledged(alice.sent)
    bob.received.clear()
    assert sorted(set(await archived(bob))) == list(range(alice.sent)), "and what was sent again"
    alice.cut()
    await bob.close()
    assert server.stop() == 0


async def test_a_client_comes_back_meanwhile(small_disk: Path, chat: Any) -> None:
    server, alice, bob = await chat()
    rest = await alice.fill_up(server, small_disk)
    alice.write(10)
    assert await numbers(bob, alice.sent) == list(range(alice.sent))
    stored = alice.acknowledged
    for _ in range(3):
        alice.cut()
        assert await alice.connect(server), "its session goes on"
        assert alice.acknowledged == stored
        alice.write()
    assert await numbers(bob, 3) == list(range(alice.sent - 3, alice.sent)), "what it sends again isn't delivered again"
    rest.unlink()
    await alice.hear_acknowledged(alice.sent)
    assert await archived(bob) == list(range(alice.sent))
    alice.cut()
    await bob.close()
    assert server.stop() == 0
