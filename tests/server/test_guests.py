"""Accounts of an anonymous host: there while somebody is logged in to them, and only then."""

from __future__ import annotations

from chirrup.core.stanza import read_error
from chirrup.testing import serve

ANONYMOUS = {"hosts": {"guests.localhost": {"authentication": "anonymous"}}}


async def test_nobody_becomes_a_guest_by_being_written_to() -> None:
    async with serve(ANONYMOUS) as server:
        guest = await server.guest("guests.localhost")
        guest.send("<message to='somebody@guests.localhost' type='chat' id='m'><body>hi</body></message>")
        refused = await guest.receive()
        assert read_error(refused).condition == "service-unavailable"
        assert list(server.server.hosts["guests.localhost"].accounts) == [guest.jid.local]


async def test_a_guest_is_forgotten_when_its_session_ends() -> None:
    async with serve(ANONYMOUS) as server:
        guest = await server.guest("guests.localhost")
        await guest.close()
        assert not server.server.hosts["guests.localhost"].accounts


async def test_guests_talk_to_each_other() -> None:
    async with serve(ANONYMOUS) as server:
        one, other = await server.guest("guests.localhost"), await server.guest("guests.localhost")
        one.send(f"<message to='{other.jid}' type='chat'><body>hi</body></message>")
        assert (await other.receive()).child_text("body") == "hi"
