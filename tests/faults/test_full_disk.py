"""The disk is full: senders are told, the server lives, and goes on when there is room again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chirrup.core.features.resume import NS as MANAGEMENT
from chirrup.core.features.resume import request
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


async def test_what_was_not_stored_is_told_before_it_is_acknowledged(
    small_disk: Path, server_process: Callable[..., Any]
) -> None:
    """Stream management counts what was dealt with: stored, or returned before the acknowledgement comes."""
    server = server_process(plaintext=True)
    server.start()
    server.add_accounts("alice", "bob")
    alice, bob = await connect(server, "alice"), await connect(server, "bob")
    bob.send("<presence/>")
    await bob.settle()
    alice.send(f"<enable xmlns='{MANAGEMENT}'/>")
    assert (await alice.receive()).name == "enabled"
    refused: set[int] = set()

    async def send(number: int) -> None:
        body = Element("body", CLIENT, "x" * 2000)
        alice.send(Element("message", CLIENT, body, type="chat", to="bob@localhost", id=number))
        alice.send(request())
        while (came := await alice.receive()).name != "a":
            assert came.get("type") == "error"
            refused.add(int(came.get("id")))
        assert int(came.get("h")) == number + 1

    sent = 0
    await send(sent)
    rest = fill(small_disk)
    while not refused:
        sent += 1
        assert sent < MEGABYTES * 1024, "all was archived, on a disk that is full"
        await send(sent)
    assert refused == {sent}
    rest.unlink()
    await send(sent + 1)
    acknowledged = [number for number in range(sent + 2) if number not in refused]
    bob.received.clear()
    assert await archived(bob) == acknowledged
    alice.drop()
    await bob.close()
    assert server.stop() == 0
