"""Somebody who uses mcabber, which trusts the server's self-made certificate and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.needs("mcabber", "tmux")

SETTINGS = """
set jid = alice@localhost
set password = secret
set server = 127.0.0.1
set port = {port}
set tls = 1
set ssl_ca = {certificate}
"""


@pytest.fixture
async def mcabber(server: Any, terminal: Any) -> Any:
    screen = terminal("alice")
    folder = screen.home / ".mcabber"
    folder.mkdir(mode=0o700)
    settings = folder / "mcabberrc"
    settings.write_text(SETTINGS.format(port=server.port, certificate=server.certificate))
    settings.chmod(0o600)
    await screen.run("mcabber", env={})
    await screen.shows("Connection established.", "Your status has been set")
    return screen


async def test_chatting(mcabber: Any, online: Any) -> None:
    bob = await online("bob")
    await mcabber.type("/add bob@localhost")
    await bob.next("presence_subscribe")
    bob.send_presence_subscription(pto="alice@localhost", ptype="subscribed")
    await mcabber.shows("<bob@localhost> has allowed you to receive their presence updates", "{o} bob@localhost")
    await mcabber.type("/roster search bob")
    await mcabber.type("hello bob")
    said = await bob.next("message", lambda message: message["body"])
    assert said["body"] == "hello bob"
    said.reply("hello alice").send()
    await mcabber.shows("--> hello bob", "<== hello alice")
    bob.send_presence(pshow="away")
    await mcabber.shows("{a} bob@localhost")
    await bob.disconnect()
    await mcabber.shows("{_} bob@localhost")
