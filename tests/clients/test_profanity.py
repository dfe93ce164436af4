"""Two people who use profanity, which trusts the server's self-made certificate and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs("profanity", "tmux")


async def test_they_become_contacts_and_chat(profanity: Any) -> None:
    alice = await profanity("alice")
    bob = await profanity("bob")
    await alice.type("/sub request bob@localhost")
    await bob.shows("Received authorization request from alice@localhost")
    await bob.type("/sub allow alice@localhost")
    await bob.type("/sub request alice@localhost")
    await alice.shows("authorization request from bob@localhost")
    await alice.type("/sub allow bob@localhost")
    await alice.shows("++ bob@localhost (profanity", "Accepted subscription for bob@localhost")
    await alice.type("/msg bob@localhost hello bob")
    await bob.shows("chat message: alice@localhost")
    await bob.type("/win 2")
    await bob.shows("hello bob")
    await bob.type("hello alice")
    await alice.shows("hello bob", "hello alice")
    await bob.type("/quit")
    await alice.shows("bob@localhost [offline]", "bob@localhost has left the conversation")
    await alice.type("are you there?")
    bob = await profanity("bob")
    await bob.shows("chat message: alice@localhost")
    await bob.type("/win 2")
    await bob.shows("are you there?")
    await alice.shows("bob@localhost [online]")
