"""Prints who of the account's contacts comes and goes.

CHIRRUP_JID=alice@localhost CHIRRUP_PASSWORD=… python examples/presence_watch.py
CHIRRUP_CA=data/certificates/localhost.crt names a certificate that the server has made itself.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

from chirrup import ChirrupError, Client, Presence
from chirrup.ext.roster.client import Roster


def line(presence: Presence, name: str) -> str:
    what = "is here" if presence.available else "has left"
    how = ", ".join(filter(None, (presence.show, presence.status)))
    return f"{name or presence.sender.bare} {what}" + (f" ({how})" if how else "")


def comes_or_goes(presence: Presence) -> bool:
    return presence.type in ("available", "unavailable")


async def watch(client: Client, presences: AsyncIterator[Presence]) -> None:
    """Until the client is closed."""
    roster = client.need(Roster)
    async for presence in presences:
        if presence.sender.bare != client.account:
            contact = roster.get(presence.sender)
            print(line(presence, contact.name if contact else ""), flush=True)


async def main() -> None:
    jid, password = os.environ.get("CHIRRUP_JID", "alice@localhost"), os.environ.get("CHIRRUP_PASSWORD", "")
    client = Client(jid, password, ca=os.environ.get("CHIRRUP_CA"), features=[Roster])
    presences = client.presences(comes_or_goes)
    async with client:
        await watch(client, presences)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main())
    except ChirrupError as error:  # such as a wrong password, or no server
        sys.exit(f"presence_watch: {error}")
