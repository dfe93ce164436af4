"""People whose program is slixmpp, over TLS that is verified against the server's own certificate."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from slixmpp.exceptions import IqError

from chirrup import __version__
from chirrup.net import certificates


@pytest.mark.parametrize("direct_tls", [False, True])
async def test_logging_in(online: Any, direct_tls: bool) -> None:
    alice = await online("alice", direct_tls=direct_tls)
    assert alice.plugin["feature_mechanisms"].mech.name.startswith("SCRAM-SHA-512")
    assert alice.socket.version() == "TLSv1.3"
    assert alice.boundjid.bare == "alice@localhost"


async def test_logging_in_over_tls_1_2(connect: Any) -> None:
    alice = connect("alice")
    alice.ssl_context.maximum_version = alice.ssl_context.maximum_version.TLSv1_2
    await alice.come_online()
    assert alice.plugin["feature_mechanisms"].mech.name == "SCRAM-SHA-512-PLUS"
    assert alice.socket.version() == "TLSv1.2"


async def test_a_certificate_that_is_not_trusted(connect: Any, tmp_path: Path) -> None:
    alice = connect("alice", trust=certificates.make("localhost", tmp_path, now=time.time()).certificate)
    await alice.next("ssl_invalid_chain")


async def test_a_wrong_password(connect: Any, server: Any) -> None:
    alice = connect("alice", "wrong")
    await alice.next("failed_auth")
    await alice.disconnect()
    assert all(" log-in failed " in line and " user=alice " in line for line in server.complaints)
    server.forget_log()


async def test_becoming_contacts_and_seeing_each_other(online: Any) -> None:
    alice, bob = await online("alice"), await online("bob")
    alice.send_presence_subscription(pto="bob@localhost")
    assert (await bob.next("presence_subscribe"))["from"] == "alice@localhost"
    bob.send_presence_subscription(pto="alice@localhost", ptype="subscribed")
    await alice.next("presence_subscribed")
    await alice.has_online("bob")
    bob.send_presence_subscription(pto="alice@localhost")
    await alice.next("presence_subscribe")
    alice.send_presence_subscription(pto="bob@localhost", ptype="subscribed")
    await bob.next("presence_subscribed")
    await bob.has_online("alice")
    await asyncio.gather(alice.get_roster(), bob.get_roster())
    assert alice.contact("bob")["subscription"] == bob.contact("alice")["subscription"] == "both"

    bob.send_presence(pshow="away", pstatus="at lunch")
    away = await alice.next("presence_away")
    assert away["status"] == "at lunch"
    await bob.disconnect()
    left = await alice.next("presence_unavailable")
    assert left["from"] == bob.boundjid

    bob = await online("bob")  # whom the server tells of alice, and alice of bob
    await bob.has_online("alice")
    await alice.has_online("bob")
    assert bob.contact("alice")["subscription"] == "both"


async def test_chatting(online: Any) -> None:
    carol, dave = await online("carol"), await online("dave")
    carol.send_message("dave@localhost", "hello <dave> & co 👋", mtype="chat")
    said = await dave.next("message")
    assert (said["from"], said["type"], said["body"]) == (carol.boundjid, "chat", "hello <dave> & co 👋")
    said.reply("hello carol").send()
    answer = await carol.next("message")
    assert (answer["from"], answer["body"]) == (dave.boundjid, "hello carol")


async def test_messages_for_somebody_who_is_not_there(online: Any) -> None:
    erin = await online("erin")
    before = datetime.now(UTC).replace(microsecond=0)
    for number in range(3):
        erin.send_message("frank@localhost", f"message {number}", mtype="chat")
    await erin.plugin["xep_0199"].ping("localhost")
    after = datetime.now(UTC)

    frank = await online("frank")
    for number in range(3):
        message = await frank.next("message")
        assert message["body"] == f"message {number}"
        assert message["from"] == erin.boundjid
        assert message["delay"]["from"] == "localhost"
        assert before <= message["delay"]["stamp"] <= after
    await frank.plugin["xep_0199"].ping("localhost")
    await frank.disconnect()

    frank = await online("frank")
    erin.send_message("frank@localhost", "you have it all", mtype="chat")
    assert (await frank.next("message"))["body"] == "you have it all"


async def test_a_visiting_card(online: Any) -> None:
    grace, heidi = await online("grace"), await online("heidi")
    card = grace.plugin["xep_0054"].make_vcard()
    card["FN"] = "Grace Hopper"
    await grace.plugin["xep_0054"].publish_vcard(card)
    got = await heidi.plugin["xep_0054"].get_vcard("grace@localhost")
    assert got["vcard_temp"]["FN"] == "Grace Hopper"


async def test_asking_the_server(online: Any) -> None:
    alice = await online("alice")
    info = (await alice.plugin["xep_0030"].get_info("localhost"))["disco_info"]
    assert ("server", "im") in {identity[:2] for identity in info["identities"]}
    assert {"urn:xmpp:ping", "vcard-temp", "msgoffline", "jabber:iq:version"} <= info["features"]
    assert (await alice.plugin["xep_0030"].get_items("localhost"))["disco_items"]["items"] == set()
    assert await alice.plugin["xep_0199"].ping("localhost") < 10
    version = (await alice.plugin["xep_0092"].get_version("localhost"))["software_version"]
    assert (version["name"], version["version"]) == ("Chirrup", __version__)
    uptime = await alice.plugin["xep_0012"].get_last_activity("localhost")
    assert 0 <= uptime["last_activity"]["seconds"] < 600
    told = (await alice.plugin["xep_0202"].get_entity_time("localhost"))["entity_time"].xml.findtext("{*}utc")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(told)).total_seconds()) < 10


async def test_asking_for_what_is_not_there(online: Any) -> None:
    alice = await online("alice")
    with pytest.raises(IqError) as refused:
        await alice.plugin["xep_0030"].get_info("localhost", node="no such node")
    assert refused.value.condition == "item-not-found"


async def test_changing_the_password(online: Any, connect: Any) -> None:
    heidi = await online("heidi")
    await heidi.plugin["xep_0077"].change_password("the second", "localhost")
    again = await online("heidi", password="the second")
    await again.plugin["xep_0077"].change_password("the third", "localhost")
