"""Acknowledged means stored: the server is killed with SIGKILL while clients write to people who are away.

A message counts as acknowledged when the server answered a ping that was sent behind it. After the kill the server
starts on the same data, everybody who was away comes, and every message that was acknowledged has to be among what they
get, in the order in which its sender wrote it. CHIRRUP_FAULT_ROUNDS sets how often, CHIRRUP_FAULT_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections import defaultdict
from typing import Any

import pytest

from chirrup.core.stanza import result
from chirrup.core.stream import ClientPolicy, Credentials
from chirrup.core.xml import CLIENT, Element
from chirrup.testing import TestClient

ROUNDS = int(os.environ.get("CHIRRUP_FAULT_ROUNDS", "4"))
SEED = os.environ.get("CHIRRUP_FAULT_SEED", secrets.token_hex(4))
SENDERS = 20
AWAY = 20


class Sender:
    """Writes to people who are away, and remembers what was acknowledged."""

    def __init__(self, client: TestClient, name: str, chance: random.Random) -> None:
        self.client = client
        self.name = name
        self.chance = chance
        self.written: list[tuple[str, str]] = []
        """Receiver and text of each message, in order."""
        self.acknowledged = 0
        """How many of the first of them were."""

    async def write(self, answered: asyncio.Queue[None]) -> None:
        """Write until the server is gone."""
        try:
            while True:
                for _ in range(self.chance.randint(1, 8)):
                    receiver, text = f"away{self.chance.randrange(AWAY)}", f"{self.name} {len(self.written)}"
                    self.client.send(message(receiver, text))
                    self.written.append((receiver, text))
                count = len(self.written)
                await self.client.settle()
                assert not self.client.received, self.client.received[0]
                self.acknowledged = count
                answered.put_nowait(None)
        except ConnectionError:
            return


def message(receiver: str, text: str) -> Element:
    return Element("message", CLIENT, Element("body", CLIENT, text), to=f"{receiver}@localhost", type="chat", id=text)


async def log_in(port: int, name: str) -> TestClient:
    client = await TestClient.connect("127.0.0.1", port)
    await client.log_in(ClientPolicy(Credentials(name, "secret"), "x", tls_required=False), "localhost")
    return client


async def write_and_kill(server: Any, chance: random.Random, number: int) -> list[Sender]:
    """All senders write until the server, which has answered some of them, is killed."""
    clients = await asyncio.gather(*(log_in(server.port, f"sender{n}") for n in range(SENDERS)))
    senders = [Sender(client, f"r{number}s{n}", random.Random(chance.random())) for n, client in enumerate(clients)]
    answered = asyncio.Queue[None]()
    writing = asyncio.gather(*(sender.write(answered) for sender in senders))
    for _ in range(chance.randint(1, 20 * SENDERS)):
        await answered.get()
    for _ in range(chance.randint(0, 30)):  # anywhere between two answers, and in the middle of a group of writes
        await asyncio.sleep(0)
    server.kill()
    await writing
    for client in clients:
        client.drop()
    return senders


async def collect(port: int, name: str) -> list[str]:
    """Come online, take what was kept, confirm it, leave."""
    client = await log_in(port, name)
    client.send("<presence/>")
    texts = []
    await client.settle()
    client.send(message(name, "the end"))  # to oneself: comes behind all that was kept
    while True:
        stanza = await client.receive()
        if stanza.name == "message":
            if (text := stanza.child_text("body")) == "the end":
                break
            texts.append(text)
        elif stanza.name == "iq" and stanza.get("type") == "get":
            client.send(result(stanza))
    await client.settle()
    for stanza in client.received:
        if stanza.name == "iq" and stanza.get("type") == "get":
            client.send(result(stanza))
    await client.settle()
    await client.close()
    return texts


def check(senders: list[Sender], got: dict[str, list[str]]) -> None:
    """Nothing that was acknowledged is missing, nothing came twice, and each sender's messages are in order."""
    acknowledged = defaultdict[str, list[str]](list)
    places: dict[str, int] = {}
    for sender in senders:
        for position, (receiver, text) in enumerate(sender.written):
            places[text] = position
            if position < sender.acknowledged:
                acknowledged[receiver].append(text)
    for receiver, texts in acknowledged.items():
        lost = set(texts) - set(got[receiver])
        assert not lost, f"{receiver} lost {len(lost)} acknowledged messages: {sorted(lost)[:5]}"
    for receiver, texts in got.items():
        assert len(set(texts)) == len(texts), f"{receiver} got messages twice"
        for sender in senders:
            order = [places[text] for text in texts if text.startswith(sender.name + " ")]
            assert order == sorted(order), f"{receiver} got what {sender.name} wrote out of order"


@pytest.mark.timeout(60 + 30 * ROUNDS)
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(server_process: Any) -> None:
    chance = random.Random(SEED)
    print(f"CHIRRUP_FAULT_SEED={SEED} CHIRRUP_FAULT_ROUNDS={ROUNDS}")
    server = server_process(plaintext=True)
    server.start()
    server.add_accounts(*(f"sender{n}" for n in range(SENDERS)), *(f"away{n}" for n in range(AWAY)))
    total = 0
    for number in range(ROUNDS):
        senders = await write_and_kill(server, chance, number)
        server.start()
        kept = await asyncio.gather(*(collect(server.port, f"away{n}") for n in range(AWAY)))
        check(senders, {f"away{n}": texts for n, texts in enumerate(kept)})
        total += sum(sender.acknowledged for sender in senders)
    print(f"{total} messages were acknowledged, {ROUNDS} kills")
    assert total > 0
    assert server.stop() == 0
