"""Somebody who reads an archive with slixmpp."""

from __future__ import annotations

from typing import Any

import pytest
from slixmpp import JID
from slixmpp.exceptions import IqError


async def test_an_archive_from_either_end(online: Any) -> None:
    alice, bob = await online("alice"), await online("bob")
    for plugin in ("xep_0313", "xep_0359"):
        alice.register_plugin(plugin)
    archive = alice.plugin["xep_0313"]
    for number in range(45):
        bob.send_message("alice@localhost", f"message {number}", mtype="chat")
    newest = await alice.next("message", lambda message: message["body"] == "message 44")

    async def found(**options: Any) -> list[str]:
        every = archive.iterate(rsm={"max": "20"}, with_jid=JID("bob@localhost"), **options)
        return [message["mam_result"]["forwarded"]["stanza"]["body"] async for message in every]

    expected = [f"message {number}" for number in range(45)]
    assert await found() == expected
    assert await found(reverse=True) == expected[::-1]
    assert await found(total=3) == expected[:3]
    metadata = (await archive.get_archive_metadata())["mam_metadata"]
    assert metadata["end"]["id"] == newest["stanza_id"]["id"]
    assert "{urn:xmpp:fulltext:0}fulltext" in (await archive.get_fields()).get_fields()
    with pytest.raises(IqError, match="forbidden"):
        await archive.retrieve(jid=JID("bob@localhost"))


async def test_preferences(online: Any) -> None:
    carol = await online("carol")
    carol.register_plugin("xep_0441")
    preferences = carol.plugin["xep_0441"]
    assert await preferences.get_preferences() == ("always", set(), set())
    await preferences.set_preferences(default="roster", always=[JID("dave@localhost")])
    assert await preferences.get_preferences() == ("roster", {JID("dave@localhost")}, set())
