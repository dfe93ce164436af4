"""Accounts in memory, where they are many."""

from __future__ import annotations

from typing import Any

from chirrup.server.session import Session
from chirrup.testing import TestServer, serve

ANONYMOUS: dict[str, Any] = {"hosts": {"localhost": {"authentication": "anonymous"}}}


async def come(server: TestServer, count: int, name: str) -> None:
    for number in range(count):
        await server.server.hosts["localhost"].guest(f"{name}{number}")


async def test_accounts_without_a_session_dont_stay_for_ever() -> None:
    async with serve(ANONYMOUS) as server:
        guest = await server.guest("localhost")
        await come(server, 30_000, "g")
        accounts = server.server.hosts["localhost"].accounts
        assert len(accounts) <= 11_001
        assert guest.jid.local in accounts, "it has a session"
        assert "g29999" in accounts, "the newest stay"


async def test_who_comes_doesnt_wait_for_a_look_at_everybody_who_is_there() -> None:
    looks = 0

    class Sessions(dict[str, Session]):
        def __len__(self) -> int:
            nonlocal looks
            looks += 1
            return 1

    async with serve(ANONYMOUS) as server:
        host = server.server.hosts["localhost"]
        for number in range(12_000):
            (await host.guest(f"there{number}")).sessions = Sessions()
        looks = 0
        await come(server, 900, "coming")
        assert looks <= len(host.accounts), "one look at each, at most"
        for account in host.accounts.values():
            account.sessions = {}
