"""Capabilities at a client: shown, believed if they fit, asked for once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import JID, Client, Presence
from chirrup.client.feature import Feature
from chirrup.core.errors import PayloadError
from chirrup.core.xml import Element
from chirrup.ext.caps.client import Capabilities
from chirrup.ext.caps.hashes import verification_string
from chirrup.ext.caps.payloads import Caps
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Feature as FeatureOf
from chirrup.ext.disco.payloads import Identity, Info
from chirrup.ext.presence.client import Presences
from chirrup.testing import serve

BOT = Info(None, (Identity("client", "bot"),), (FeatureOf("urn:test:a"),))


async def test_two_clients_know_each_other() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        came = bob.presences(lambda presence: presence.sender == alice.jid)
        await alice.send(Presence(bob.jid))
        async with asyncio.timeout(10):
            presence = await anext(came)
        shown = presence.get(Caps)
        assert shown is not None
        assert shown.ver == verification_string(alice.need(Disco).own())
        features = await bob.need(Capabilities).of(alice.jid)
        assert {"urn:xmpp:ping", "http://jabber.org/protocol/caps"} <= features
        assert await bob.need(Capabilities).supports(alice.jid, "urn:xmpp:ping")
        assert not await bob.need(Capabilities).supports("nobody@localhost/x", "urn:xmpp:ping")


async def test_presence_is_sent_again_when_the_features_change() -> None:
    class Another(Feature):
        features = ("urn:test:another",)

    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("alice") as other:
        came = other.presences(lambda presence: presence.sender == alice.jid)
        await alice.need(Presences).refresh()
        async with asyncio.timeout(10):
            before = after = (await anext(came)).get(Caps)
            alice.need(Another)
            while before == after:
                after = (await anext(came)).get(Caps)
        assert before is not None and after is not None
        assert "urn:test:another" in await other.need(Capabilities).of(alice.jid)
        told = await other.need(Disco).info(alice.jid, before.disco_node)
        assert FeatureOf("urn:test:another") not in told.features


def shown(info: Info, ver: str | None = None, sender: str = "bob@localhost/b") -> str:
    caps = Caps("urn:test", ver or verification_string(info), "sha-1").to_element()
    return str(Element("presence", "jabber:client", caps, from_=sender))


async def _answer(peer: Peer, info: Info) -> Element:
    iq = await peer.read()
    result = Element("iq", "jabber:client", info.to_element(), type="result", id=iq.get("id"), from_=iq.get("to"))
    peer.send(result.to_bytes())
    return iq


@pytest.fixture
def connect(liar: Liar) -> Any:
    async def connect(script: Any) -> tuple[Client, Capabilities]:
        async def run(peer: Peer) -> None:
            await peer.log_in()
            await script(peer)
            await peer.end()

        client = liar.client(run, features=[Capabilities])
        came = client.presences()
        await client.connect()
        await anext(came)
        return client, client.need(Capabilities)

    return connect


async def test_a_hash_is_asked_for_once(connect: Any) -> None:
    asked: list[str] = []

    async def script(peer: Peer) -> None:
        peer.send(shown(BOT) + shown(BOT, sender="carol@localhost/c"))
        asked.append((await _answer(peer, BOT)).get("to"))

    client, capabilities = await connect(script)
    async with asyncio.timeout(10):
        first = await asyncio.gather(*(capabilities.of("bob@localhost/b") for _ in range(3)))
        assert first == [{"urn:test:a"}] * 3
        assert await capabilities.of(JID("carol@localhost/c")) == {"urn:test:a"}
    assert asked == ["bob@localhost/b"]
    await client.close()


async def test_an_answer_that_does_not_fit_counts_for_nobody_else(connect: Any) -> None:
    asked: list[str] = []
    true = Info(None, BOT.identities, (FeatureOf("urn:test:true"),))

    async def script(peer: Peer) -> None:
        peer.send(shown(true) + shown(true, sender="carol@localhost/c"))
        asked.append((await _answer(peer, BOT)).get("to"))
        asked.append((await _answer(peer, true)).get("to"))

    client, capabilities = await connect(script)
    async with asyncio.timeout(10):
        assert await capabilities.of("bob@localhost/b") == {"urn:test:a"}
        assert await capabilities.of("carol@localhost/c") == {"urn:test:true"}
        assert await capabilities.of("bob@localhost/b") == {"urn:test:true"}  # who shows the hash, means that
    assert asked == ["bob@localhost/b", "carol@localhost/c"]
    await client.close()


@pytest.mark.parametrize("features", [[f"urn:test:{number}" for number in range(501)], ["x" * 20_001]])
async def test_an_answer_without_end(connect: Any, features: list[str]) -> None:
    huge = Info(None, (), tuple(FeatureOf(feature) for feature in features))

    async def script(peer: Peer) -> None:
        peer.send(shown(BOT))
        await _answer(peer, huge)

    client, capabilities = await connect(script)
    with pytest.raises(PayloadError, match=r"more than (500|20000)"):
        await capabilities.of("bob@localhost/b")
    await client.close()


async def test_presence_of_everybody_is_not_kept_without_end(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.ext.caps.client.MOST_CLAIMS", 10)

    async def script(peer: Peer) -> None:
        peer.send("".join(shown(BOT, sender=f"bob{number}@localhost/b") for number in range(20)))

    client, capabilities = await connect(script)
    await client.close()
    assert len(capabilities._claims) <= 10
