from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.stanza import write_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.caps.hashes import capability_hash, verification_string
from chirrup.ext.caps.payloads import Caps, Caps2, Hash
from chirrup.ext.caps.server import Capabilities
from chirrup.ext.disco import INFO
from chirrup.ext.disco.payloads import Feature, Identity, Info
from chirrup.testing import FakeClock, TestClient, TestServer, serve

TUNE = Info(None, (Identity("client", "pc", "Player"),), (Feature(INFO), Feature("tune"), Feature("tune+notify")))
MOOD = Info(None, (Identity("client", "pc", "Player"),), (Feature(INFO), Feature("mood"), Feature("mood+notify")))


def caps(server: TestServer) -> Capabilities:
    return server.server.hosts[server.domain].module(Capabilities)


def features(server: TestServer, client: TestClient) -> frozenset[str] | None:
    return caps(server).features_of(client.jid)


def names(info: Info) -> frozenset[str]:
    return frozenset(feature.var for feature in info.features)


def older(info: Info, node: str = "https://example.org/player", function: str = "sha-1") -> Element:
    return Caps(node, verification_string(info, function), function).to_element()


def newer(info: Info, *functions: str) -> Element:
    return Caps2(tuple(Hash(name, capability_hash(info, name)) for name in functions)).to_element()


async def show(client: TestClient, *what: Element) -> None:
    client.send(Element("presence", CLIENT, *what))


async def asked(client: TestClient) -> Element:
    """The server's next disco#info request to the client."""
    while True:
        stanza = await client.receive()
        if stanza.name == "iq" and stanza.get("type") == "get":
            assert stanza.child("query", INFO) is not None
            return stanza


async def tell(client: TestClient, request: Element, info: Info | None) -> None:
    """Answer a request, or refuse it, and wait until the answer was processed."""
    if info is None:
        answer = Element("iq", CLIENT, write_error(StanzaError("item-not-found")), type="error")
    else:
        answer = Element("iq", CLIENT, info.to_element(), type="result")
    client.send(answer.set("id", request.get("id")).set("to", request.get("from")))
    await client.settle()


async def was_not_asked(client: TestClient) -> None:
    await client.settle()
    assert not [stanza for stanza in client.received if stanza.name == "iq"]


@pytest.mark.parametrize(
    ("shown", "node"),
    [
        ([older(TUNE)], "https://example.org/player#" + verification_string(TUNE)),
        ([older(TUNE, function="sha-256")], "https://example.org/player#" + verification_string(TUNE, "sha-256")),
        ([newer(TUNE, "sha-256")], "urn:xmpp:caps#sha-256." + capability_hash(TUNE)),
        ([newer(TUNE, "blake2b-512")], "urn:xmpp:caps#blake2b-512." + capability_hash(TUNE, "blake2b-512")),
        ([older(TUNE), newer(TUNE, "sha3-256", "sha-256")], "urn:xmpp:caps#sha-256." + capability_hash(TUNE)),
    ],
)
async def test_a_client_is_asked_what_its_hash_means(shown: list[Element], node: str) -> None:
    async with serve() as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        told: list[object] = []
        caps(server).watch(told.append)
        assert features(server, alice) is None
        await show(alice, *shown)
        request = await asked(alice)
        assert request.first is not None
        assert request.first.get("node") == node
        assert not told
        await tell(alice, request, TUNE)
        assert features(server, alice) == names(TUNE)
        assert told == [server.server.hosts["localhost"].accounts["alice"].sessions[alice.jid.resource]]
        for element in shown:  # each of the hashes is known now
            await show(bob, element)
            await was_not_asked(bob)
            assert features(server, bob) == names(TUNE)
        await show(alice)  # what was shown before holds
        await was_not_asked(alice)
        assert features(server, alice) == names(TUNE)


async def test_what_was_found_out_is_known_after_a_restart(tmp_path: Path) -> None:
    async with serve(data=tmp_path) as server:
        alice = await server.client("alice")
        await show(alice, older(TUNE))
        await tell(alice, await asked(alice), TUNE)
    async with serve(data=tmp_path) as server:
        alice = await server.client("alice")
        await show(alice, older(TUNE))
        await was_not_asked(alice)
        assert features(server, alice) == names(TUNE)


@pytest.mark.parametrize("shown", [older(TUNE), newer(TUNE, "sha-256")])
async def test_a_wrong_answer_counts_for_its_sender_only(shown: Element) -> None:
    async with serve() as server:
        mallory, alice = await server.client("mallory"), await server.client("alice")
        await show(mallory, shown)
        request = await asked(mallory)
        await show(alice, shown)
        await was_not_asked(alice)  # one at a time
        await tell(mallory, request, MOOD)
        assert features(server, mallory) == names(MOOD)
        await tell(alice, await asked(alice), TUNE)
        assert features(server, alice) == names(TUNE)
        assert features(server, mallory) == names(TUNE)  # what its hash stands for, now that this is known


async def test_an_answer_that_could_be_cut_up_differently_counts_for_its_sender_only() -> None:
    """The string of TUNE, with its last feature as a form: whoever shows TUNE's hash would lose "tune+notify"."""
    form = (
        Element("x", "jabber:x:data", type="result")
        .append(Element("field", "", Element("value", "", "tune"), var="FORM_TYPE", type="hidden"))
        .append(Element("field", "", var="tune+notify"))
    )
    poison = Info(None, TUNE.identities, (Feature(INFO),), (form,))
    assert verification_string(poison) == verification_string(TUNE)
    async with serve() as server:
        mallory, alice = await server.client("mallory"), await server.client("alice")
        await show(mallory, older(TUNE))
        await tell(mallory, await asked(mallory), poison)
        assert features(server, mallory) == frozenset({INFO})
        await show(alice, older(TUNE))
        await tell(alice, await asked(alice), TUNE)
        assert features(server, alice) == names(TUNE)


async def test_somebody_who_does_not_answer_holds_up_nobody_for_long() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        mallory, alice = await server.client("mallory"), await server.client("alice")
        await show(mallory, older(TUNE))
        await asked(mallory)
        await show(alice, older(TUNE))
        await was_not_asked(alice)
        clock.advance(6)
        await tell(alice, await asked(alice), TUNE)
        assert features(server, alice) == features(server, mallory) == names(TUNE)


async def test_somebody_who_leaves_without_an_answer() -> None:
    async with serve() as server:
        bob, alice = await server.client("bob"), await server.client("alice")
        await show(bob, older(TUNE))
        await asked(bob)
        await show(alice, older(TUNE))
        await was_not_asked(alice)
        await bob.close()
        await tell(alice, await asked(alice), TUNE)
        assert features(server, alice) == names(TUNE)
        assert caps(server).features_of(bob.jid) is None


async def test_a_client_that_does_not_know_its_own_node() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await show(alice, older(TUNE))
        await tell(alice, await asked(alice), None)
        request = await asked(alice)
        assert request.first is not None
        assert request.first.get("node") == ""
        await tell(alice, request, TUNE)
        assert features(server, alice) == names(TUNE)


@pytest.mark.parametrize(
    "shown",
    [
        Caps("https://example.org/player", "1.0").to_element(),  # as it was before hashes
        Caps("https://example.org/player", "abc", "md5").to_element(),
        Caps("https://example.org/player", verification_string(TUNE), "shake").to_element(),
        Caps2((Hash("sha-1", "abc"),)).to_element(),
        Caps2((Hash("shake.128", "abc"), Hash("crc", "abc"))).to_element(),
    ],
)
async def test_what_cannot_be_checked_counts_for_its_sender_only(shown: Element) -> None:
    async with serve() as server:
        alice, bob = await server.client("alice"), await server.client("bob")
        for client in alice, bob:
            await show(client, shown)
            await tell(client, await asked(client), TUNE)
            assert features(server, client) == names(TUNE)


@pytest.mark.parametrize(
    "shown",
    [
        Element("c", "http://jabber.org/protocol/caps"),
        Element("c", "urn:xmpp:caps"),
        Element("c", "urn:xmpp:caps", Element("hash", "urn:xmpp:hashes:2", "abc")),
        Element("c", "urn:xmpp:caps", Element("hash", "urn:xmpp:hashes:2", "abc", algo="x" * 100)),
        Element("c", "urn:xmpp:caps", Element("hash", "urn:xmpp:hashes:2", "a" * 1000, algo="sha-256")),
        Element("c", "http://jabber.org/protocol/caps", node="a", ver="a" * 1000, hash="sha-1"),
    ],
)
async def test_what_makes_no_sense_is_not_asked_about(shown: Element) -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await show(alice, shown)
        await was_not_asked(alice)
        assert features(server, alice) is None


async def test_the_old_hash_alone_is_not_believed_where_there_is_a_new_one() -> None:
    """XEP-0390 §7.2: what is cached for the old one hasn't been verified for the new one."""
    async with serve() as server:
        alice, mallory = await server.client("alice"), await server.client("mallory")
        await show(alice, older(TUNE))
        await tell(alice, await asked(alice), TUNE)
        await show(mallory, older(TUNE), newer(MOOD, "sha-256"))
        request = await asked(mallory)
        assert features(server, mallory) is None
        await tell(mallory, request, MOOD)
        assert features(server, mallory) == names(MOOD)
        await show(mallory, older(TUNE), Caps2((Hash("unheard-of", "abc"),)).to_element())
        await asked(mallory)


async def test_what_is_malformed_does_not_spoil_the_rest() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await show(alice, older(TUNE), Element("c", "urn:xmpp:caps", Element("hash", "urn:xmpp:hashes:2", "abc")))
        await tell(alice, await asked(alice), TUNE)
        assert features(server, alice) == names(TUNE)


async def test_who_shows_one_hash_and_another_in_turns_stands_in_each_line_once() -> None:
    async with serve() as server:
        bob, mallory = await server.client("bob"), await server.client("mallory")
        await show(bob, older(TUNE))
        await asked(bob)  # and says nothing
        for _ in range(100):
            await show(mallory, older(TUNE))
            await show(mallory, older(MOOD))
        await show(mallory, older(TUNE))
        await mallory.settle()
        assert max(len(question.entities) for question in caps(server)._questions.values()) == 2


async def test_who_shows_ever_new_hashes_is_asked_one_thing_at_a_time() -> None:
    """What was asked before would wait for its answer, a minute long, as often as a client can send presence."""
    async with serve() as server:
        mallory = await server.client("mallory")
        await show(mallory, older(TUNE))
        await asked(mallory)
        underway = len(asyncio.all_tasks())
        for number in range(300):
            await show(mallory, Caps("https://example.org/player", f"{number:027d}=", "sha-1").to_element())
            await show(mallory, Caps2((Hash("unheard-of", f"{number}"),)).to_element())
            if number % 10 == 0:
                await mallory.settle()
        await mallory.settle()
        assert len(asyncio.all_tasks()) <= underway + 2
        await show(mallory, older(MOOD))
        request = await asked(mallory)
        while (
            request.first is None
            or request.first.get("node") != f"https://example.org/player#{verification_string(MOOD)}"
        ):
            request = await asked(mallory)
        await tell(mallory, request, MOOD)
        assert features(server, mallory) == names(MOOD)


async def test_who_comes_back_to_a_hash_that_nobody_has_explained_yet_is_asked() -> None:
    clock = FakeClock()
    async with serve(clock=clock) as server:
        bob, alice = await server.client("bob"), await server.client("alice")
        await show(bob, older(TUNE))
        await asked(bob)  # and says nothing
        for info in TUNE, MOOD, TUNE:
            await show(alice, older(info))
        await alice.settle()
        clock.advance(6)
        request = await asked(alice)
        while request.first is None or verification_string(TUNE) not in request.first.get("node"):
            request = await asked(alice)
        await tell(alice, request, TUNE)
        assert features(server, alice) == names(TUNE)


async def test_a_change_while_the_session_goes_on() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        await show(alice, older(TUNE))
        await tell(alice, await asked(alice), TUNE)
        await show(alice, older(MOOD))
        request = await asked(alice)
        await show(alice, older(TUNE))  # changed its mind
        await tell(alice, request, MOOD)
        assert features(server, alice) == names(TUNE)


async def test_one_account_cannot_fill_the_memory() -> None:
    settings = {"modules": {"caps": {"max_new_per_account": 1}}}
    async with serve(settings) as server:
        mallory, alice = await server.client("mallory"), await server.client("alice")
        for info in TUNE, MOOD:
            await show(mallory, older(info))
            await tell(mallory, await asked(mallory), info)
            assert features(server, mallory) == names(info)
        await show(alice, older(TUNE))
        await was_not_asked(alice)
        await show(alice, older(MOOD))
        await tell(alice, await asked(alice), MOOD)
        assert features(server, alice) == names(MOOD)


async def test_the_hashes_used_least_lately_are_forgotten(tmp_path: Path) -> None:
    settings = {"modules": {"caps": {"max_known": 10}}}
    infos = [Info(None, TUNE.identities, (Feature(f"feature {number}"),)) for number in range(11)]
    async with serve(settings, data=tmp_path) as server:
        alice = await server.client("alice")
        for info in infos:
            await show(alice, older(info))
            await tell(alice, await asked(alice), info)
        stored = await server.server.store.map("caps").all("localhost")
        assert len(stored) == 10
    async with serve(settings, data=tmp_path) as server:
        alice = await server.client("alice")
        await show(alice, older(infos[10]))
        await was_not_asked(alice)
        await show(alice, older(infos[0]))
        await asked(alice)


async def test_an_answer_with_too_much_in_it() -> None:
    async with serve({"modules": {"caps": {"max_features": 10}}}) as server:
        alice = await server.client("alice")
        info = Info(None, TUNE.identities, tuple(Feature(f"feature {number}") for number in range(11)))
        await show(alice, older(info))
        await tell(alice, await asked(alice), info)
        await tell(alice, await asked(alice), info)
        assert features(server, alice) is None


async def test_an_answer_with_features_that_are_too_long() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        info = Info(None, TUNE.identities, (Feature("x" * 20_001),))
        await show(alice, newer(info, "sha-256"))
        await tell(alice, await asked(alice), info)
        await tell(alice, await asked(alice), info)
        assert features(server, alice) is None
        assert not await server.server.store.map("caps").all("localhost")


async def test_an_enormous_answer_with_little_of_use_in_it() -> None:
    """What counts are the features; nothing else of an answer is kept."""
    async with serve() as server:
        alice = await server.client("alice")
        identities = tuple(Identity("client", "pc", f"{number} " + "x" * 40) for number in range(1500))
        info = Info(None, identities, TUNE.features)
        await show(alice, newer(info, "sha-256"))
        await tell(alice, await asked(alice), info)
        assert features(server, alice) == names(TUNE)
        (stored,) = (await server.server.store.map("caps").all("localhost")).values()
        assert len(stored) < 200


async def test_the_servers_own() -> None:
    async with serve() as server:
        alice = await server.client("alice")
        shown = [Caps.find(alice.features), *getattr(Caps2.find(alice.features), "hashes", ())]
        nodes = [one.disco_node for one in shown if one is not None]
        assert len(nodes) == 3
        for node in nodes:
            answer = await alice.ask(
                Element("iq", CLIENT, Element("query", INFO, node=node), type="get", to="localhost")
            )
            info = Info.find(answer)
            assert info is not None
            assert info.node == node
            assert node.endswith((verification_string(info), capability_hash(info), capability_hash(info, "sha3-256")))
        answer = await alice.ask(
            Element("iq", CLIENT, Element("query", INFO, node=nodes[0] + "x"), type="get", to="localhost")
        )
        assert answer.get("type") == "error"
